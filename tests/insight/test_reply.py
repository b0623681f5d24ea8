"""What a customer newly wrote is read, all of it and nothing else."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.insight.reply import Reply, split_reply

QUOTE = "> Hello,\n>\n> did everything arrive?\n"


@pytest.mark.parametrize(
    "attribution",
    [
        "On Mon, 3 Feb 2025 at 09:01, Ann Lee <ann@shop.example> wrote:",
        "On Mon, 3 Feb 2025 at 09:01, Ann Lee with a very long name <\nann@shop.example> wrote:",
        "Am Mo., 3. Feb. 2025 um 09:01 Uhr schrieb Ann Lee <ann@shop.example>:",
        "Le lun. 3 févr. 2025 à 09:01, Ann Lee <ann@shop.example> a écrit :",
        "El lun, 3 feb 2025 a las 9:01, Ann Lee (<ann@shop.example>) escribió:",
        "Il giorno lun 3 feb 2025 alle ore 09:01 Ann Lee <ann@shop.example>\nha scritto:",
        "Em seg., 3 de fev. de 2025 às 09:01, Ann Lee <ann@shop.example> escreveu:",
        "Op ma 3 feb 2025 om 09:01 schreef Ann Lee <ann@shop.example>:",
        "pon., 3 lut 2025 o 09:01 Ann Lee <ann@shop.example> napisał(a):",
        "Den mån 3 feb. 2025 kl 09:01 skrev Ann Lee <ann@shop.example>:",
        "man. 3. feb. 2025 kl. 09:01 skrev Ann Lee <ann@shop.example>:",
        "ma 3. helmik. 2025 klo 9.01 Ann Lee (ann@shop.example) kirjoitti:",
        "po 3. 2. 2025 v 9:01 odesílatel Ann Lee <ann@shop.example> napsal:",
        "пн, 3 февр. 2025 г. в 09:01, Ann Lee <ann@shop.example>:",
        "Ann Lee <ann@shop.example> 于2025年2月3日周一 09:01写道：",
        "2025年2月3日(月) 9:01 Ann Lee <ann@shop.example>:",
        "Ann Lee wrote:",
        "Ann Lee <ann@shop.example>",
        "Ann Lee <ann@shop.example>, 3 Feb 2025",
        "Ann Lee, 3 Feb 2025, 09:01:",
        "Ann Lee (Shop Ltd) @ 2025-02-03 09:01",
        "From Ann Lee on Monday, 3 February 2025",
        "* Ann Lee <ann@shop.example> [2025-02-03 09:01]:",
        "2025-02-03 9:01 GMT+01:00 Ann Lee <ann@shop.example>:",
        "Feb 3, 2025, 09:01 by ann@shop.example:",
        "On Mon, 3 Feb 2025 at 09:01 Ann Lee <ann@shop.example> wrote",
        "On Mon Feb 3 Ann Lee wrote",
        "Am 03.02.25 um 09:01 schrieb Ann Lee",
        "Ann Lee said:",
        "In article <aa12@shop.example>, Ann Lee says...",
        "On Mon, Feb 3, 2025 at 9:01 AM\n\nAnn Lee <ann@shop.example> wrote:",
    ],
)
def test_the_line_above_a_quote_is_not_the_reply(attribution: str) -> None:
    reply = split_reply(f"All fine here.\n\n{attribution}\n\n{QUOTE}")
    assert reply.text == "All fine here."
    assert "did everything arrive" in reply.quoted
    assert attribution.split("\n", maxsplit=1)[0] in reply.quoted


@pytest.mark.parametrize(
    "header",
    [
        "From: Ann Lee <ann@shop.example>\nSent: Monday, February 3, 2025 9:01 AM\nTo: Bo\nSubject: Order",
        "*Von:* Ann Lee <ann@shop.example>\n*Gesendet:* 3. Februar 2025\n*An:* Bo\n*Betreff:* Auftrag",
        "De : Ann Lee\nEnvoyé : lundi 3 février 2025 09:01\nÀ : Bo\nObjet : Commande",
        "____________________\nVan: Ann Lee\nVerzonden: maandag 3 februari\nAan: Bo\nOnderwerp: x",
        "-----Original Message-----\nFrom: Ann Lee\nTo: Bo",
        "-----Ursprüngliche Nachricht-----",
        "---------- Forwarded message ---------\nFrom: <ann@shop.example>\nDate: Mon\nTo: Bo",
        "Begin forwarded message:",
        "Saatja: Ann Lee <ann@shop.example>\nSaadetud: esmaspäev, 3. veebruar 2025 09:01\nAdressaat: Bo\nTeema: x",
        "Ó: Ann Lee <ann@shop.example>\nSent: Dé Luain 3 Feabhra 2025 09:01\nChuig: Bo\nÁbhar: x",
        "Author: Ann Lee\nTo: Bo\nDate: 3 Feb 2025 09:01\nSubject: x",
        "2025-02-03 9:01 GMT+01:00 Ann Lee <ann@shop.example>:",
        "On 3 Feb 2025 at 09:01 Ann Lee <ann@shop.example> wrote",
        "Feb 3, 2025, 09:01 by ann@shop.example:",
    ],
)
def test_everything_below_an_original_is_quoted(header: str) -> None:
    reply = split_reply(f"Please cancel it.\n\n{header}\n\nHello Bo,\n\nshall we renew?\n")
    assert reply.text == "Please cancel it."
    assert "shall we renew" in reply.quoted


@pytest.mark.parametrize(
    "quote",
    [
        "> The installation can begin on any day of next week that suits you, as long as the\nsite is empty.\n>\n> Ann",
        "> Ihr Vertrag verlängert sich zum 1. März um ein weiteres Jahr, wenn wir bis dahin nichts\nvon Ihnen hören.",
        "> We invoice them together with the service hours that you booked in January and\nFebruary.\n> Is that right?",
        "> See https://shop.example/reports/2025/02/service-visit-report-of-the-third-of-\nfebruary.pdf\n> Ann",
    ],
)
def test_what_a_mail_program_wrapped_off_a_quote_is_no_answer(quote: str) -> None:
    reply = split_reply(f"Agreed.\n\nOn 3 Feb 2025, Ann Lee wrote:\n{quote}")
    assert reply.text == "Agreed."


def test_an_answer_right_below_a_long_question_is_kept() -> None:
    question = "> Which of the two colours that we showed you at the fair do you want to have for the door?"
    assert split_reply(f"On 3 Feb 2025, Ann Lee wrote:\n{question}\nBlue.\n> How many?\nforty\n").text == "Blue.\nforty"


@pytest.mark.parametrize(
    ("text", "attribution"),
    [
        ("Thanks, that works.", "On Mon, Feb 3, 2025 at 9:01 AM Ann Lee <ann@shop.example> wrote:"),
        ("No, we will not renew!", "On 3 Feb 2025, at 09:01, Ann Lee <ann@shop.example>\nwrote:"),
        ("Passt so.", "Am Mo., 3. Feb. 2025 um 09:01 Uhr schrieb Ann Lee <ann@shop.example>:"),
        ("ok for Tuesday", 'On Feb 3, 2025 9:01 AM, "Ann Lee" <ann@shop.example> wrote: Does Tuesday suit you?'),
    ],
)
def test_text_before_an_attribution_on_its_line_is_kept(text: str, attribution: str) -> None:
    assert split_reply(f"{text} {attribution}\n{QUOTE}").text == text


@pytest.mark.parametrize(
    "text",
    [
        "On Monday at 10:30 the driver came, on Tuesday at 9:15 he came again, and\nnobody had told us. We are tired.",
        "On 3 February 2025 I wrote to bo@shop.example and asked for a lid.\nNobody answered. Then I called.",
        "In January we paid 400, see the mail of <billing@shop.example>\nand in February we paid again. Why?",
        "The price is fine\nthe date is not",
        "4 March 2025 works",
        "Leeds, 4 March 2025",
        "Invoices: kim@acme.example",
    ],
)
def test_no_attribution_reaches_up_into_the_text(text: str) -> None:
    for attribution in ("On Mon, 3 Feb 2025 at 09:01, Ann Lee <ann@shop.example> wrote:", "Ann Lee wrote:"):
        assert split_reply(f"{text}\n\n{attribution}\n{QUOTE}").text == text
    assert split_reply(f"{text}\n\n> When, and where?").text == text


@pytest.mark.parametrize(
    "form",
    [
        "Name: Bo Roe\nPhone: 0113 496 0321\nDate: 3 February 2025, 09:00\nProblem: the door sticks",
        "Company: Acme\nEmail: bo@acme.example\nDate of purchase: 03.02.2025 10:30\nModel: XR-20",
        "From: 3 February\nTo: 7 February\n\nNobody is in.",
    ],
)
def test_a_form_that_was_filled_in_is_no_header(form: str) -> None:
    assert (
        split_reply(f"My details:\n\n{form}\n\nOn 3 Feb 2025, Ann Lee wrote:\n{QUOTE}").text == f"My details:\n\n{form}"
    )


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
        ">>> URGENT <<<\n\nThe line has stopped.",
        "We need:\n\n>>> 40 chairs\n>>> 10 tables\n\nWhen?",
        "Go to\n>> Menu >> Export\nand send it.",
        "The room had\n>30 degrees all day.",
    ],
)
def test_marks_that_only_adorn_are_no_quote(text: str) -> None:
    assert split_reply(text).text == text
    assert split_reply(f"{text}\n\nOn 3 Feb 2025, Ann Lee wrote:\n{QUOTE}>> older words\n").text == text


def test_answers_between_quotes_are_kept() -> None:
    body = "On 3 Feb 2025, Ann Lee wrote:\n> When?\n\nIn May.\n\n> How many?\n\nForty.\n\n> More?\n\nNo.\n"
    assert split_reply(body).text.split() == ["In", "May.", "Forty.", "No."]


def test_answers_marked_with_initials_are_kept() -> None:
    body = "Answers in [BM].\n\nFrom: Ann Lee <ann@shop.example>\nSent: Monday\nTo: Bo\nSubject: x\n\n"
    reply = split_reply(f"{body}> When?\n[BM] In May,\nor June.\n\nHow many?\n[BM] Forty.\n\nAnn")
    assert reply.text.split("\n") == ["Answers in [BM].", "[BM] In May,", "or June.", "[BM] Forty."]


def test_everything_below_a_groupwise_attribution_is_quoted() -> None:
    attribution = '>>> "Ann Lee" <ann@shop.example> 2/3/2025 9:01 AM >>>'
    reply = split_reply(f"Not yet.\n\n{attribution}\nBo,\n\ndid everything arrive?\n\nAnn")
    assert reply.text == "Not yet."
    assert "did everything arrive" in reply.quoted


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


def test_an_answer_below_the_quote_is_kept() -> None:
    assert split_reply(f"Am 03.02.25 um 09:01 schrieb Ann Lee:\n{QUOTE}\nNein, es fehlt ein Karton.").text == (
        "Nein, es fehlt ein Karton."
    )


@pytest.mark.parametrize(
    "footer",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Get Outlook for Android",
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
    for text, html in ((hostile, None), ("", hostile), (f"Hi\n\n{hostile}\nwrote:", None)):
        started = time.process_time()
        split_reply(text, html)
        assert time.process_time() - started < 0.05


@pytest.mark.parametrize("hides", ['style="display:none"', 'style="font-size:1px; DISPLAY: none;"', "hidden"])
def test_what_no_mail_program_shows_is_nobodys_words(hides: str) -> None:
    html = f"<div {hides}>Save 20% today only</div><p>Thanks, that was quick.</p>"
    assert split_reply("", html).text == "Thanks, that was quick."
