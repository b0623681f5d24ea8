"""What a customer newly wrote is read, all of it and nothing else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.reply import Reply, split_reply

QUOTE = "> Hello,\n>\n> did everything arrive?\n"


HEADERS = "From: Kim Roe <kim@acme.example>\nDate: 3 February 2025 at 09:01\nTo: Bo Roe\nSubject: Lamps"
MARKED = "> " + HEADERS.replace("\n", "\n> ")


@pytest.mark.parametrize(
    "body",
    [
        f"---------- Forwarded message ---------\n{HEADERS}\n\n\nTwo lamps are broken.\n\nRegards\nKim",
        f"Sent from my iPhone\n\nBegin forwarded message:\n\n{HEADERS}\n\nTwo lamps are broken.",
        f"Begin forwarded message:\n\n{MARKED}\n>\n> Two lamps are broken.",
        f"Bo Roe\nAcme Ltd\n\n-------- Weitergeleitete Nachricht --------\n{HEADERS}\n\nTwo lamps are broken.",
        f"________________________________\n{HEADERS}\n\nTwo lamps are broken.\n\nOn 1 Feb 2025, Bo wrote:\n> Well?",
        f"-- Forwarded message ---\n{HEADERS}\n\n---- Forwarded message ----\n{HEADERS}\n\nTwo lamps are broken.",
    ],
)
def test_a_complaint_that_is_passed_on_without_a_word_is_heard(body: str) -> None:
    reply = split_reply(body, sender="Bo Roe <bo@acme.example>")
    assert reply.text == "Two lamps are broken."
    assert reply.forwarded
    assert "Kim" not in reply.signature


@pytest.mark.parametrize(
    "body",
    [
        f"On 3 Feb 2025, Ann Lee wrote:\n{QUOTE}",
        f"-----Original Message-----\n{HEADERS.replace('acme', 'shop')}\n\nDid everything arrive?",
    ],
)
def test_our_own_words_come_back_without_an_answer_as_no_text(body: str) -> None:
    reply = split_reply(body, sender="Bo Roe <bo@acme.example>")
    assert (reply.text, reply.forwarded) == ("", False)


@pytest.mark.parametrize(
    "trace",
    [
        "\u1427",
        "\u200b\u2060",
        "[image: beacon]",
        "[image: Mailtrack]\n<https://track.example/x>\nSender notified by\nMailtrack <https://track.example/y>",
    ],
)
def test_what_a_tracker_leaves_is_not_the_reply(trace: str) -> None:
    assert (
        split_reply(f"I will sign it.\n\n{trace}\n\nOn 3 Feb 2025, Ann Lee wrote:\n{QUOTE}").text == "I will sign it."
    )


@pytest.mark.parametrize(
    "text",
    [
        "Kindly take me off this mailing list, I asked twice.",
        "I would like to unsubscribe.",
        "Stop it.\n\nRemove me from your mailing list",
        "Print on the lid:\n\n“Open this side”",
        "お世話になっております。\n見積書をお送りします。",
        "Hi Ann,\n\nB",
    ],
)
def test_what_is_said_is_no_footer(text: str) -> None:
    assert (
        split_reply(f"{text}\n\nOn 3 Feb 2025, Ann Lee wrote:\n{QUOTE}", None, "Ben Roe <ben@x.example>").text == text
    )


@pytest.mark.parametrize(
    "farewell",
    [
        "Avec mes sincères salutations",
        "A sus órdenes.",
        "Thanking you,",
        "B.",
        "Ben xx",
        "Hilsen / Regards\nBen",
        "Have a lovely evening!\nBen",
        "Thanks again for the quick help,\nBen",
    ],
)
def test_a_farewell_is_no_text(farewell: str) -> None:
    assert split_reply(f"The truck is on its way to you.\n\n{farewell}", None, "Ben Roe <ben@x.example>").text == (
        "The truck is on its way to you."
    )


@pytest.mark.parametrize(
    "footer",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Get Outlook for Android",
        "\u2063Get BlueMail for Android \u200b",
        "Ann Lee reacted via Gmail <https://mail.example/reactions>",
        "发自我的iPhone",
    ],
)
def test_what_the_telephone_adds_is_not_the_reply(footer: str) -> None:
    reply = split_reply(f"Works again.\n\n{footer}\n")
    assert (reply.text, reply.signature) == ("Works again.", footer)


def test_the_signature_is_apart() -> None:
    reply = split_reply(
        "The pump leaks.\n\nBest regards,\nJoe Field\nPlant Manager\n\nOn 3 Feb 2025, Ann wrote:\n> Ok?\n"
    )
    assert reply == Reply(
        "The pump leaks.", "On 3 Feb 2025, Ann wrote:\n> Ok?", "Best regards,\nJoe Field\nPlant Manager"
    )


@pytest.mark.parametrize(
    "body",
    [
        "We run this:\n\n```\n-- \nDROP TABLE x;\n_____\n> out\n```\n\nand it fails.",
        "From: the depot\nTo: dock 4\n\nThat is the route.",
        "On Monday he wrote that two were coming:\nwe got one.",
        "Sent from my warehouse this morning, it should be with you tomorrow. Please confirm the arrival.",
        "Three points:\n\n- price\n- date\n- place\n\nAll open.",
        "> Only a quote mark, nobody's quote.",
        "Thanks",
    ],
)
def test_what_only_looks_like_a_quote_or_a_footer_stays(body: str) -> None:
    assert split_reply(body).text == body


def test_html_alone_is_read_with_its_quotes() -> None:
    html = (
        "<style>p{}</style><p>It&nbsp;still leaks.</p><div class='gmail_quote'><div class='gmail_attr'>"
        "On Mon, Feb 3, 2025 at 9:01 AM Ann &lt;ann@shop.example&gt; wrote:</div>"
        "<blockquote>Fixed?</blockquote></div>"
    )
    assert split_reply("", html).text == "It still leaks."
    assert split_reply("\n ", html).text == "It still leaks."


def test_outlook_on_the_web_is_read_in_a_language_nobody_listed() -> None:
    html = "<div>Selvä.</div><div id='divRplyFwdMsg'><b>Xyz:</b> Ann</div><div>old words</div>"
    reply = split_reply("", html)
    assert reply.text == "Selvä."
    assert "old words" in reply.quoted


def test_text_wins_over_html() -> None:
    assert split_reply("plain", "<p>rich</p>").text == "plain"


def test_nothing_of_a_mail_is_lost() -> None:
    body = "One.\n\nOn 3 Feb 2025, Ann wrote:\n> two\n\nThree.\n\nRegards,\nJoe Field"
    reply = split_reply(body)
    written = f"{reply.text}\n{reply.quoted}\n{reply.signature}".split()
    assert sorted(written) == sorted(body.split())


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
lines = st.lists(
    st.sampled_from(
        [
            "",
            "> q",
            "On 3 Feb 2025, Ann wrote:",
            "text",
            "-- ",
            "```",
            "From: a@b.example",
            "To: b",
            "Subject: c",
            "Thanks,",
            "Joe",
            "Sent from my iPhone",
            "________________",
            "-----Original Message-----",
            "| x",
            "wrote:",
            "<",
            "1.1.2025 10:00",
        ]
    ),
    max_size=20,
)


@relaxed
@given(st.one_of(st.text(max_size=400), lines.map("\n".join)))
def test_no_text_makes_it_raise_or_lose_words(body: str) -> None:
    reply = split_reply(body)
    kept = f"{reply.text}\n{reply.quoted}\n{reply.signature}".split()
    assert sorted(kept) == sorted(body.replace("\ufeff", "").split()) or "\ufeff" in body


@relaxed
@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(
            st.sampled_from(
                [
                    "<div>",
                    "</div>",
                    "<blockquote>",
                    "</blockquote>",
                    "<p",
                    "x",
                    "<!--",
                    "-->",
                    "&amp",
                    "<br>",
                    "</p>",
                    "<pre>",
                    "<script>",
                    "<![",
                    "<hr id='divRplyFwdMsg'>",
                ]
            ),
            max_size=30,
        ).map("".join),
    )
)
def test_no_html_makes_it_raise(html: str) -> None:
    split_reply("", html)


HOSTILE = [
    "> ",
    "On ",
    "On 1 wrote:\n",
    "From: a\n",
    "-",
    "_" * 30 + "\n",
    "<a@b ",
    "\n",
    " ",
    "a: ",
    "```\n",
    "<div>",
    "<!",
    "&#",
    "On 3 Feb 2025 10:00 a\n",
    "Sent from my \n",
    '<a href="',
    "<blockquote>",
    "é",
    "[a](",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_stays_cheap(piece: str) -> None:
    hostile = piece * (100_000 // len(piece))
    assert costs_little(lambda: split_reply(hostile, None))
    assert costs_little(lambda: split_reply("", hostile))
    assert costs_little(lambda: split_reply(f"Hi\n\n{hostile}\nwrote:", None))


@pytest.mark.parametrize("hides", ['style="display:none"', 'style="font-size:1px; DISPLAY: none;"', "hidden"])
def test_what_no_mail_program_shows_is_nobodys_words(hides: str) -> None:
    html = f"<div {hides}>Save 20% today only</div><p>Thanks, that was quick.</p>"
    assert split_reply("", html).text == "Thanks, that was quick."
