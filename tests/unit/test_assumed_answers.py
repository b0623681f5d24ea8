"""If these fail, a simulation's customers say one thing and are understood to say another."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from workers.inbound.parse import Parsed, parse
from workers.insight.answers import kind_of_answer
from workers.insight.reply import split_reply
from workers.simulate.answers import KINDS, Answer, assumed_answer

SENT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def message(number: int = 1) -> EmailMessage:
    sent = EmailMessage()
    sent["From"], sent["To"] = "Northwind <care@northwind.example>", f"Ann <ann{number}@acme.example>"
    sent["Subject"], sent["Message-ID"] = "Ten licences", f"<action.{number}.0123456789abcdef@northwind.example>"
    sent["X-Fleet-Reference"] = "Ref: 0123456789"
    return sent


def answers(number: int, rate: float = 1.0, seed: int = 1) -> list[Answer | None]:
    return [assumed_answer(message(n), SENT, rate=rate, seed=seed) for n in range(number)]


def read(answer: Answer) -> Parsed:
    parsed = parse(answer.mail)
    assert isinstance(parsed, Parsed)
    return parsed


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_each_kind_of_answer_is_understood_as_what_it_is_meant(kind: str) -> None:
    answer = next(one for one in answers(400) if one is not None and one.kind == kind)
    parsed = read(answer)
    if kind == "absence":
        assert parsed.judgement.kind == "out_of_office"
    else:
        assert parsed.judgement.kind == "reply"
        assert kind_of_answer(split_reply(parsed.text, None, "").text, parsed.subject, "en").kind == kind
    assert parsed.in_reply_to == next(
        sent["Message-ID"] for n in range(400) if (sent := message(n))["To"].endswith(f"<{parsed.senders[0].address}>")
    )


def test_as_many_are_answered_and_each_way_as_was_assumed() -> None:
    assert sum(kind.share for kind in KINDS) == 100
    assert sum(one is not None for one in answers(2000, rate=0.1)) == pytest.approx(200, rel=0.2)
    assert not any(answers(100, rate=0))
    found = Counter(one.kind for one in answers(2000) if one is not None)
    for kind in KINDS:
        assert found[kind.name] == pytest.approx(20 * kind.share, rel=0.25)


def test_a_mail_that_was_forwarded_to_our_own_people_is_answered_by_nobody() -> None:
    forward = message()
    del forward["X-Fleet-Reference"]
    assert assumed_answer(forward, SENT, rate=1, seed=1) is None


def test_an_answer_comes_after_its_message_within_three_days_to_the_minute() -> None:
    for one in answers(200):
        assert one is not None
        assert SENT < one.at <= SENT + timedelta(days=3, minutes=1)
        assert (one.at.second, one.at.microsecond) == (0, 0)


def test_what_is_drawn_hangs_on_the_seed_and_on_nothing_that_changes_from_run_to_run() -> None:
    again = message(1)
    del again["Message-ID"]
    again["Message-ID"] = "<action.999.0123456789abcdef@northwind.example>"
    first, second = (assumed_answer(one, SENT, rate=1, seed=1) for one in (message(1), again))
    assert first is not None
    assert second is not None
    assert (first.at, first.kind) == (second.at, second.kind)
    assert [one and one.kind for one in answers(50, seed=1)] != [one and one.kind for one in answers(50, seed=2)]
