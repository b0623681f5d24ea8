"""If these fail, mail goes on to dead addresses, or a mail server's report is taken for a customer's answer."""

from email import message_from_bytes, message_from_string, policy
from email.message import Message

import pytest

from tests.insight.mails import ANN, OURS, given_up, names, read
from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import Judgement, classify_message


def report(
    diagnostic: str,
    *,
    action: str = "failed",
    status: str = "5.0.0",
    said: str = "",
    reporter: str = "mx.northwind.example",
) -> Message:
    """A report after RFC 3464."""
    return message_from_string(
        f"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.northwind.example>
To: care@northwind.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.

{said}

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; {reporter}

Final-Recipient: rfc822; {ANN}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b--
""",
        policy=policy.compat32,
    )


@pytest.mark.parametrize("name", names("dead"))
def test_a_dead_address_is_found_in_every_kind_of_report(name: str) -> None:
    judgement = classify_message(read("dead", name))
    assert (judgement.kind, given_up(judgement)) == ("bounce", [ANN])


@pytest.mark.parametrize(
    "said",
    [
        "抱歉，您的邮件被退回来了。\n收件人：{}\n退信原因：对方邮箱不存在",
        "您发往{}的邮件被退回来了。\n退信原因：收件人邮件地址（{}）不存在，邮件无法送达。",
        "次のあて先へのメッセージは送信できませんでした。\n送信先メールアドレスが見つかりませんでした。\n宛先：{}",
        "{}님에게 메일을 보낼 수 없습니다.\n존재하지 않는 사용자입니다.",
        "A sua mensagem não pôde ser entregue.\n<{}>: caixa postal inexistente",
        "Il messaggio non è stato consegnato.\n<{}>: casella inesistente",
        "Votre message n'a pas pu être remis.\n<{}> : boîte inexistante",
        "No se pudo entregar el mensaje.\n<{}>: la cuenta no existe",
        "Zprávu nebylo možné doručit.\n<{}>: uživatel neexistuje",
        "Meddelandet kunde inte levereras.\n<{}>: mottagaren finns inte",
        "İletiniz teslim edilemedi.\n<{}>: kullanıcı bulunamadı",
        "We could not deliver your message to <{}>: 605 Not delivering to previously bounced address",
    ],
)
def test_a_dead_address_is_found_whatever_the_language_of_the_server(said: str) -> None:
    subject = "Undelivered Mail Returned to Sender"
    text = f"From: MAILER-DAEMON@mx.example\nSubject: {subject}\n\n{said.format(ANN, ANN)}\n"
    message = message_from_bytes(text.encode(), policy=policy.compat32)
    message.set_payload(said.format(ANN, ANN), "utf-8")
    judgement = classify_message(message)
    assert (judgement.kind, given_up(judgement)) == ("bounce", [ANN])


@pytest.mark.parametrize("name", names("dead"))
def test_our_own_message_is_found_in_what_comes_back(name: str) -> None:
    assert OURS in returned_message_ids(read("dead", name))


@pytest.mark.parametrize(
    ("diagnostic", "whose"),
    [
        ("smtp; 550 5.7.1 Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example", "sender"),
        ("smtp; 552 5.3.4 Message size exceeds fixed limit", "message"),
        ("smtp; 550 5.1.1 RCP-P2 Refused due to recipient preferences", "message"),
        ("smtp; 552 5.2.2 Over quota", "moment"),
        ("X-Postfix; connect to mx.acme.example[192.0.2.1]:25: Connection timed out", "moment"),
        ("x-unix; procmail: Couldn't create /var/spool/mail/ann id: No such user", "moment"),
        ("smtp; 550 5.0.0 user unknown", "message"),
    ],
)
def test_what_is_no_fault_of_the_address_gives_it_not_up(diagnostic: str, whose: str) -> None:
    (failure,) = classify_message(report(diagnostic)).failures
    assert (failure.recipient, failure.fault.whose) == (ANN, whose)


def test_unknown_user_after_the_message_itself_is_a_filters_word() -> None:
    said = f"<{ANN}>: host mx said: 550 Unknown user {ANN} (in reply to end of DATA command)"
    judgement = classify_message(report(f"smtp; 550 Unknown user {ANN}", said=said))
    assert (judgement.kind, given_up(judgement)) == ("bounce", [])


def test_a_rule_of_the_receivers_that_says_unknown_gives_no_address_up() -> None:
    said = "smtp; 550 5.1.1 Mailbox does not exist"
    assert given_up(classify_message(report(said))) == [ANN]
    (failure,) = classify_message(report(said, reporter="inbound-smtp.eu-west-1.amazonaws.com")).failures
    assert (failure.recipient, failure.fault.whose) == (ANN, "message")


def test_what_is_told_to_people_does_not_overrule_the_servers_words() -> None:
    said = "The address may have been misspelled, or the user unknown. Check the address and send it again."
    assert given_up(classify_message(report("smtp; 554 Rejected", said=said))) == []


def test_a_mail_that_a_filter_stopped_is_not_taken_as_delivered() -> None:
    text = f"A message to:\n-> {ANN}\nwas considered unsolicited bulk e-mail.\nDelivery of the email was stopped!\n"
    message = message_from_string(
        f"Return-Path: <>\nFrom: Content-filter <postmaster@mx.example>\nSubject: UBE\n\n{text}"
    )
    (failure,) = classify_message(message).failures
    assert (failure.recipient, failure.fault.whose) == (ANN, "sender")


@pytest.mark.parametrize("name", names("delayed"))
def test_a_delay_is_no_failure_yet(name: str) -> None:
    (failure,) = classify_message(read("delayed", name)).failures
    assert (failure.recipient, failure.fault.whose, failure.delayed) == (ANN, "moment", True)


def test_each_of_several_recipients_has_a_cause_of_its_own() -> None:
    judgement = classify_message(read("several", "postfix"))
    assert [(failure.recipient, failure.fault.whose) for failure in judgement.failures] == [
        ("bob@acme.example", "moment"),
        (ANN, "address"),
    ]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "deliverable"])
def test_success_is_no_bounce(action: str) -> None:
    assert classify_message(report("smtp; 250 ok", action=action, status="2.0.0")).kind == "auto_reply"


@pytest.mark.parametrize("name", names("people"))
def test_a_person_stays_a_person_whatever_he_forwards_quotes_or_writes_about(name: str) -> None:
    assert classify_message(read("people", name)) == Judgement("reply", "no sign of a machine")


def test_an_order_system_that_cannot_deliver_a_parcel_reports_no_dead_address() -> None:
    text = "From: no-reply@parcels.example\nSubject: Delivery failed\n\nYour parcel could not be delivered.\n"
    assert classify_message(message_from_string(text, policy=policy.compat32)).failures == ()
