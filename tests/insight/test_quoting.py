"""If these fail, our own words are read as the customer's, or the customer's words are thrown away with a quote."""

import pytest

from workers.insight.reply import split_reply

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


def test_what_the_bat_marks_with_initials_is_quoted() -> None:
    reply = split_reply(
        "Hello Ann,\n\nMonday, February 3, 2025, 9:01:00 AM, you wrote:\n\nAL> When?\nAL> And how?\n\nIn May."
    )
    assert reply.text.split() == ["Hello", "Ann,", "In", "May."]


def test_everything_below_a_groupwise_attribution_is_quoted() -> None:
    attribution = '>>> "Ann Lee" <ann@shop.example> 2/3/2025 9:01 AM >>>'
    reply = split_reply(f"Not yet.\n\n{attribution}\nBo,\n\ndid everything arrive?\n\nAnn")
    assert reply.text == "Not yet."
    assert "did everything arrive" in reply.quoted


def test_an_answer_below_the_quote_is_kept() -> None:
    assert split_reply(f"Am 03.02.25 um 09:01 schrieb Ann Lee:\n{QUOTE}\nNein, es fehlt ein Karton.").text == (
        "Nein, es fehlt ein Karton."
    )
