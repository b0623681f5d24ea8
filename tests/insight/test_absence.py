"""If these fail, mail reaches people on holiday, or waits long after they are back."""

import base64
from datetime import date
from email.message import Message

import pytest

from workers.insight.absence import returns_on
from workers.insight.machine_mail import classify_message

MONDAY = date(2026, 3, 2)


def note(text: str, **headers: str) -> Message:
    message = Message()
    for name, value in {
        "From": "Ann <ann@acme.example>",
        "Subject": "Re: Your quote",
        "Date": "Mon, 02 Mar 2026 10:00:00 +0100",
        **headers,
    }.items():
        message[name.replace("_", "-")] = value
    message.set_payload(text.encode(), "utf-8")
    return message


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out of the office until 14 March and will answer then.", date(2026, 3, 14)),
        ("I'm away until Friday, March 6th. For urgent matters call Bob.", date(2026, 3, 6)),
        ("I am hiking until Friday and read no mail.", date(2026, 3, 6)),
        ("I will be back in the office on Monday.", date(2026, 3, 9)),
        ("Out of office through 03-13-2026.", date(2026, 3, 13)),
        ("I'm out until the end of March.", date(2026, 3, 31)),
        ("Ich bin bis Ende März in Elternzeit.", date(2026, 3, 31)),
        ("On parental leave until September 2026.", date(2026, 9, 30)),
        ("Absent jusqu'au 1er avril 2026.", date(2026, 4, 1)),
        ("I will return on 03/16/2026.", date(2026, 3, 16)),
        ("I'm back on 1/5.", date(2026, 5, 1)),
        ("Out of office from 2026-03-01 to 2026-03-20.", date(2026, 3, 20)),
        ("I will be traveling for work on March 10-31. During that time I read little.", date(2026, 3, 31)),
        ("On leave 2 March – 13 March 2026, returning Monday 16 March 2026.", date(2026, 3, 16)),
        ("Away over the New Year, back on January 7.", date(2027, 1, 7)),
        ("Ich bin bis einschließlich 13.03.2026 nicht im Büro.", date(2026, 3, 13)),
        ("Ich bin vom 2.3. bis 13.3. im Urlaub und ab dem 16. März wieder erreichbar.", date(2026, 3, 16)),
        ("Je suis en congés du 2 au 13 mars. De retour le 16 mars.", date(2026, 3, 16)),
        ("Estaré fuera de la oficina hasta el 20 de marzo.", date(2026, 3, 20)),
        ("Sono in ferie. Rientrerò lunedì 23 marzo 2026.", date(2026, 3, 23)),
        ("Ik ben afwezig tot en met 12 maart.", date(2026, 3, 12)),
        ("Ik ben maandag 16 maart weer terug.", date(2026, 3, 16)),
        ("Estou de férias até 10 de março.", date(2026, 3, 10)),
        ("Jestem na urlopie do 14 marca 2026.", date(2026, 3, 14)),
        ("Jag är på semester till och med den 15 mars.", date(2026, 3, 15)),
        ("Olen lomalla 15. maaliskuuta asti.", date(2026, 3, 15)),
        ("Jsem na dovolené do 15. března.", date(2026, 3, 15)),
        ("Szabadságon vagyok március 20-ig.", date(2026, 3, 20)),
        ("15 Mart'a kadar izindeyim.", date(2026, 3, 15)),
        ("Я в отпуске до 16 марта 2026 г.", date(2026, 3, 16)),
        ("3月14日まで休暇をいただいております。", date(2026, 3, 14)),
        ("我将于3月16日回到办公室。", date(2026, 3, 16)),
        ("3월 14일까지 휴가입니다.", date(2026, 3, 14)),
        ("Jeg er tilbage d. 16. marts.", date(2026, 3, 16)),
        ("Sunt în concediu până pe 13 martie.", date(2026, 3, 13)),
        ("Θα επιστρέψω στις 16 Μαρτίου.", date(2026, 3, 16)),
        ("Vrátim sa 16. marca.", date(2026, 3, 16)),
        ("Vrnem se 16. marca.", date(2026, 3, 16)),
        ("В отпуск съм до 13 март.", date(2026, 3, 13)),
        ("Olen puhkusel kuni 13. märts.", date(2026, 3, 13)),
        ("Atostogauju iki kovo 13 d.", date(2026, 3, 13)),
        ("أنا في إجازة حتى 13 مارس.", date(2026, 3, 13)),
        ("אני בחופשה עד 13 במרץ.", date(2026, 3, 13)),
        ("Tôi nghỉ phép đến hết ngày 13/3.", date(2026, 3, 13)),
        ("Saya cuti sampai 13 April.", date(2026, 4, 13)),
    ],
)
def test_the_day_of_return_is_read_in_many_languages(text: str, day: date) -> None:
    assert returns_on(Message(), text, MONDAY) == day


@pytest.mark.parametrize(
    "text",
    [
        "I am away at the moment.",
        "We received your mail of 1 March. Our office is closed on 25.12.",
        "I have not been with the company since 1 January 2026.",
        "Away. Call 020 7946 0018, or one of my 3-4 colleagues.",
        "I am away until 31 February.",
        "Back on 12 March 2031.",
        "I was away until 3 February 2026.",
        "",
    ],
)
def test_a_day_that_is_none_is_not_invented(text: str) -> None:
    assert returns_on(Message(), text, MONDAY) is None


@pytest.mark.parametrize(
    "message",
    [
        note(
            "I am hiking until Friday and read no mail.", X_Apple_Action="vacation", Subject="Auto reply: your message"
        ),
        note("Gone.", X_Apple_Action="VACATION", X_Apple_Criteria="{kind=VACATION,endDate=2026-03-06T14:59:59Z}"),
        note("Back on 6 March.", Auto_Submitted="auto-replied (vacation)"),
        note("Ich bin bis 6.3. im Urlaub.", Auto_Submitted="auto-replied"),
        note("Until Friday.", X_Auto_Response_Suppress="All", Subject="Automatic reply: your message"),
        note("Ausente hasta el viernes.", X_MS_Exchange_Generated_Message_Source="Mailbox Rules Agent"),
        note("Absente jusqu'à vendredi.", Return_Path="<>"),
        note("Delivered by vacation. Until Friday.", Precedence="bulk", Subject="Out of office: Ann"),
    ],
)
def test_an_absence_note_is_known_with_its_day_of_return(message: Message) -> None:
    judgement = classify_message(message)
    assert (judgement.kind, judgement.returns_on) == ("out_of_office", date(2026, 3, 6))


@pytest.mark.parametrize(
    "subject",
    [
        "Automatski odgovor: ponuda",
        "Автоматичен отговор: оферта",
        "Automatická odpoveď: ponuka",
        "Samodejni odgovor: ponudba",
        "Automaatvastus: pakkumine",
        "Automātiskā atbilde: piedāvājums",
        "Automatinis atsakymas: pasiūlymas",
        "رد تلقائي: عرض",
        "תשובה אוטומטית: הצעה",
        "Trả lời tự động: báo giá",
        "ตอบกลับอัตโนมัติ: ใบเสนอราคา",
        "Balasan otomatis: penawaran",
        "自動応答: 見積",
    ],
)
def test_the_subject_that_a_program_gives_a_note_is_known_in_any_language(subject: str) -> None:
    assert classify_message(note("…", Subject=subject)).kind == "out_of_office"


def test_a_note_without_date_header_has_no_day() -> None:
    message = note("Until Friday.", Auto_Submitted="auto-replied (vacation)")
    del message["Date"]
    assert classify_message(message).returns_on is None


def test_a_note_from_the_end_of_all_calendars_is_read_without_its_day() -> None:
    message = note("I am away until Friday, and back tomorrow.", Auto_Submitted="auto-replied", Subject="Out of office")
    message.replace_header("Date", "31 Dec 9999 23:59:59 +0000")
    judgement = classify_message(message)
    assert (judgement.kind, judgement.returns_on) == ("out_of_office", None)


@pytest.mark.parametrize(
    ("text", "charset", "label"),
    [
        ("Ich bin im Urlaub. Zurück am 13. März.", "cp1252", "iso-8859-1"),
        ("Ich bin im Urlaub. Zurück am 13. März.", "cp1252", None),
        ("Ich bin im Urlaub – zurück am 13. März.", "cp1252", "utf-8"),
        ("ただいま休暇中です。3月13日から出社します。", "cp932", "x-sjis"),
        ("ただいま休暇中です。3月13日に戻ります。", "cp932", None),
        ("Нахожусь в отпуске. Вернусь 13 марта.", "koi8-r", None),
        ("Jestem na urlopie. Wracam 13 marca, później odpowiem.", "cp1250", "windows-1250"),
    ],
)
def test_the_day_of_return_is_read_in_the_charset_it_was_written_in(text: str, charset: str, label: str | None) -> None:
    message = note("", Auto_Submitted="auto-replied")
    message.replace_header("Content-Type", f"text/plain; charset={label}" if label else "text/plain")
    message.set_payload(base64.encodebytes(text.encode(charset)))
    message.replace_header("Content-Transfer-Encoding", "base64")
    judgement = classify_message(message)
    assert (judgement.kind, judgement.returns_on) == ("out_of_office", date(2026, 3, 13))


def test_a_note_below_a_long_head_of_html_is_read() -> None:
    head = f"<head><style>{'p.MsoNormal { margin: 0; } ' * 2_000}</style></head>"
    message = note(f"<html>{head}<body>Back on 13 March.</body></html>", Auto_Submitted="auto-replied (vacation)")
    message.set_type("text/html")
    assert classify_message(message).returns_on == date(2026, 3, 13)


def test_a_receipt_for_a_ticket_is_no_absence() -> None:
    judgement = classify_message(
        note("We received your request and will answer by Friday.", Auto_Submitted="auto-replied")
    )
    assert (judgement.kind, judgement.returns_on) == ("auto_reply", None)
