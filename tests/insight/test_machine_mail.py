"""A machine's answer must not stop a follow-up, and a person's must never be taken for a machine's."""

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cost import costs_little
from tests.insight.mails import names, read
from workers.insight.addresses import fold_address
from workers.insight.machine_mail import classify_message


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {
        "From": "Jane Roe <jane@example.com>",
        "Subject": "Re: Your order",
        **headers,
    }.items():
        message[name.replace("_", "-")] = value
    message.set_content("Thank you.")
    return message


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Auto_Submitted": "no"},
        {"Subject": "Re: Out of office furniture for the Leeds site"},
        {"Subject": "Automatic reply needed for our shop"},
        {"X_Auto_Response_Suppress": "All"},
        {"Return_Path": "<jane@example.com>"},
        {"List_Id": "<team.lists.example>", "In_Reply_To": "<q-1@fleet.example>"},
        {"X_Autoreply": "no"},
        {"Subject": "Re: Automatic reply: Your order"},
        {"Subject": "Auto: Ersatzteile"},
        {"Precedence": "normal"},
        {"X_Apple_Action": "MOVE_TO_FOLDER/INBOX"},
        {"X_Apple_Action": "FORWARD"},
    ],
)
def test_what_a_person_wrote_is_a_reply(headers: dict[str, str]) -> None:
    assert classify_message(mail(**headers)).kind == "reply"


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Auto_Submitted": "auto-replied"}, "auto_reply"),
        ({"Auto_Submitted": "auto-generated; type=ticket"}, "auto_reply"),
        ({"X_Autoreply": "yes"}, "auto_reply"),
        ({"X_Apple_Action": "VACATION"}, "out_of_office"),
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"Return_Path": "<>"}, "auto_reply"),
        ({"Auto_Submitted": "auto-replied", "Subject": "Out of Office: Re: Your order"}, "out_of_office"),
        ({"X_Auto_Response_Suppress": "All", "Subject": "Automatische Antwort: Angebot"}, "out_of_office"),
        ({"Precedence": "bulk", "Subject": "Re: Absence du bureau"}, "out_of_office"),
        ({"Auto_Submitted": "auto-replied", "Subject": "自动回复: 报价"}, "out_of_office"),
        ({"Precedence": "bulk"}, "bulk"),
        ({"Precedence": "list"}, "bulk"),
        ({"Subject": "[EXTERNAL] Automatic reply: Your order"}, "out_of_office"),
        ({"Subject": "Réponse automatique : Your order"}, "out_of_office"),
        ({"Subject": "AUTO: Ann Archer is out of the office (returning 06.03.2026)"}, "out_of_office"),
        ({"Subject": "Re: Your order", "X_Precedence": "auto_reply"}, "auto_reply"),
        ({"Precedence": "junk"}, "bulk"),
        ({"List_Unsubscribe": "<mailto:leave@news.example>"}, "bulk"),
    ],
)
def test_machines_are_recognised_by_their_headers(headers: dict[str, str], kind: str) -> None:
    judgement = classify_message(mail(**headers))
    assert judgement.kind == kind
    assert judgement.reason


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Subject": "Ticket received"}, "We received your request.\nThis is an automated message."),
        ({"From": "Acme <no-reply@acme.example>"}, "Diese E-Mail wurde automatisch erstellt."),
        ({"Subject": "Re: Angebot [Vorgang 4711]"}, "Bitte antworten Sie nicht auf diese E-Mail."),
        ({}, "Votre demande 12 est enregistrée. Ceci est un message automatique."),
        ({}, "Uw aanvraag is ontvangen.\n\nDit is een automatisch bericht."),
        ({}, "Su solicitud ha sido recibida. Este es un mensaje automático, por favor no responda."),
        ({"From": "donotreply@acme.example"}, "Please do not reply to this e-mail."),
        ({"Subject": "お問い合わせ", "From": "noreply@acme.example"}, "このメールは自動送信されています。"),
        (
            {"X_Auto_Response_Suppress": "All"},
            "We have received your message and will get back to you as soon as possible.",
        ),
        ({"Subject": "Absence du bureau : Re: offre"}, "Je suis absente jusqu'au 16 mars 2026."),
        ({"Subject": "Out of Office: Re: Your order"}, "I am away."),
    ],
)
def test_a_desk_without_headers_is_known_by_its_own_words(headers: dict[str, str], text: str) -> None:
    message = mail(**headers)
    message.set_content(text)
    assert classify_message(message).kind in {"auto_reply", "out_of_office"}


@pytest.mark.parametrize("name", names("desks"))
def test_a_ticket_systems_receipt_is_not_the_customers_answer(name: str) -> None:
    assert classify_message(read("desks", name)).kind == "auto_reply"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "We received your request 4711 and accept it. Please send the contract."),
        ({}, "We have received your message. I will get back to you on Monday."),
        ({}, "Your request has been received, thanks. Could you add two pumps?"),
        (
            {"Subject": "Re: [Ticket 12]"},
            "I opened a ticket (4711) with you last week and nobody answered. Shortly: no.",
        ),
        ({}, "Go ahead.\n\nOn Monday Acme wrote:\n> Your request (482) has been received and is being reviewed."),
        (
            {},
            "##- Please reply above this line -##\n\nYour request (482) has been updated.\n\nAnn Archer\nWe take both.",
        ),
        ({}, "We accept.\n\nOn Monday Acme wrote:\n> Your ticket 12 was created.\n> This is an automated message."),
        ({"Subject": "Re: [Ticket 12]"}, "Yes, please go ahead with the request."),
        ({}, "Is this an automated message? I have a request of my own."),
        ({"From": "no-reply@portal.example"}, "Ann commented on your quote: looks good, send the contract."),
        ({}, "Please do not reply to Bob about this request, write to me."),
        ({"Subject": "Re: Out of office: chairs"}, "We take twelve of them."),
    ],
)
def test_who_quotes_a_desk_or_speaks_of_one_is_a_person(headers: dict[str, str], text: str) -> None:
    message = mail(**headers)
    message.set_content(text)
    assert classify_message(message).kind == "reply"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Jane@Example.COM", "jane@example.com"),
        ("jane+crm@example.com", "jane@example.com"),
        ("Jane Roe <Jane+a+b@example.com>", "jane@example.com"),
        ('"jane"@example.com', "jane@example.com"),
        ('"jane roe+x"@example.com', '"jane roe"@example.com'),
        ("+tag@example.com", "+tag@example.com"),
        (" jane@example.com. ", "jane@example.com"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_spellings_of_one_mailbox_fold_to_one_address(written: str, folded: str) -> None:
    assert fold_address(written) == folded


def test_an_address_of_nothing_but_parentheses_folds_to_itself() -> None:
    assert fold_address("(" * 900) == "(" * 900


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.fuzz
@relaxed
@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_more(address: str) -> None:
    once = fold_address(address)
    assert fold_address(once) == once or "@" not in once or '"' in once


@pytest.mark.fuzz
@relaxed
@given(st.binary(max_size=600))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    head = b"Content-Type: multipart/report; boundary=b\nPrecedence: "
    for policy in (email.policy.default, email.policy.compat32):
        classify_message(email.message_from_bytes(raw, policy=policy))
        classify_message(email.message_from_bytes(head + raw, policy=policy))


def test_mail_inside_of_mail_inside_of_mail_is_read_so_far_and_no_further() -> None:
    message = EmailMessage(policy=email.policy.compat32)
    message["From"] = "MAILER-DAEMON@mx.example"
    inner = message
    for _ in range(2_000):
        below = EmailMessage(policy=email.policy.compat32)
        below["From"] = "MAILER-DAEMON@mx.example"
        inner["Content-Type"] = "message/rfc822"
        inner.set_payload([below])
        inner = below
    assert classify_message(message).kind != "reply"
    assert costs_little(lambda: classify_message(message))


@pytest.mark.parametrize("piece", ["re:", "re: [1]", "<", '"', "a@", "status: 5.", "\\", " "])
def test_hostile_headers_stay_cheap(piece: str) -> None:
    hostile = piece * (100_000 // len(piece))
    message = EmailMessage(policy=email.policy.compat32)
    for name in ("Subject", "From", "Auto-Submitted", "X-Failed-Recipients", "Return-Path"):
        message[name] = hostile if name != "Auto-Submitted" else "no"
    message.set_payload(hostile)
    assert costs_little(lambda: classify_message(message))
    assert costs_little(lambda: fold_address(hostile))
