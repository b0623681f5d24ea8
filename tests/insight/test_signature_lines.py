"""If these fail, part of what a customer says is cut off as a signature, or a signature is read as text."""

import pytest

from workers.insight.signature import find_signature


@pytest.mark.parametrize(
    ("body", "sender", "signed"),
    [
        ("The file is big.\n\nThanks,\n\nKim", '"Ward  Kim S" <kim.ward@corp.example>', (2, 4)),
        ("The file is big.\n\nDave", "Barry Lane", (2,)),
        ("Call me.\n\nBarry Lane - 713-555-0158", "Lane, Barry", (2,)),
        ("Done.\n\n-- \nIda Holt\nHolt Ltd\n", None, (2, 3, 4)),
        ("Passt.\n\nViele Grüße\nUte\n\nSent from my iPhone", "Ute Berg", (2, 3)),
        ("Please find it at:\n\nhttp://files.example/a", "Ute Berg", ()),
        ("The number is\n\n503-555-0105", "Ute Berg", ()),
        ("We had on site:\n\nJohn Mills\nSteve Ross\nPaul Young", "Ute Berg", ()),
        ("THANK YOU!", "Andrea Ring", ()),
    ],
)
def test_the_lines_that_sign_are_found(body: str, sender: str | None, signed: tuple[int, ...]) -> None:
    assert find_signature(body, sender) == signed
    assert find_signature(body.split("\n"), sender) == signed


@pytest.mark.parametrize(
    "trailer",
    [
        "“Quality that rolls.”",
        "[cid:image002.jpg@01DB]",
        "Follow us on Mastodon",
        "How did we do? Rate us.",
        "This note is intended only for the addressee of the message and must not be passed on to others.",
    ],
)
def test_slogans_and_notices_below_are_no_part_of_it(trailer: str) -> None:
    assert find_signature(f"The file is big.\n\nBest,\nIda Holt\nBuyer\n\n{trailer}", "Ida Holt") == (2, 3, 4)


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        ("The new board:\n\nChair: Ute Berg\nTreasurer: Ida Holt", "Ida Holt <ida@corp.example>"),
        ("Please pay to:\n\nHolt Ltd\nSort code 01-02-03\nIBAN GB12 3456", "Accounts <accounts@holt.example>"),
        ("These positions are open in May\n\nSales Manager\nAccount Manager", "Ida Holt"),
    ],
)
def test_lists_of_officers_and_accounts_sign_nothing(body: str, sender: str) -> None:
    assert find_signature(body, sender) == ()


@pytest.mark.parametrize(
    "ending",
    [
        "Happy New Year!",
        "Hope this helps!",
        "Merry Christmas and a happy New Year",
        "Frohe Ostern",
        "Royal Blue",
        "Conference Room B",
        "Take Your Time",
        "CLOSED",
        "Tom Baker",
        "Tom Baker\n0117 496 0112",
        "Polar Ltd\n7 Harbour Road\nBristol BS1 5TY",
        "Sales Manager",
    ],
)
def test_a_last_line_that_is_not_the_senders_signs_nothing(ending: str) -> None:
    body = f"We talked about it with the others, and all agree with the plan.\n\n{ending}"
    assert find_signature(body, "Ida Holt <ida.holt@corp.example>") == ()
    assert find_signature(f"{body}\n\nIda", "Ida Holt <ida.holt@corp.example>")[-1] == body.count("\n") + 2
    assert find_signature(f"{body}\n\nIda", "Ida Holt <ida.holt@corp.example>")[0] == body.count("\n") + 2


@pytest.mark.parametrize("opening", ["The winner is", "For questions contact", "Please call", "Unser Gewinner heißt"])
def test_a_name_that_the_line_above_announces_signs_nothing(opening: str) -> None:
    assert find_signature(f"We have news for all of you.\n\n{opening}\nTom Baker\n0117 496 0112", None) == ()
