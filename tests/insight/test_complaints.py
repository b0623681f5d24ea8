"""If these fail, who reported us as spam gets the next mail all the same, or a read receipt ends a conversation."""

from email import message_from_string, policy
from email.message import Message

import pytest

from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import classify_message

OURS = "<action.7.00000000000000000000000000000007@northwind.example>"
ORIGINAL = f"From: care@northwind.example\nTo: Ann <ann@acme.example>\nMessage-ID: {OURS}\n\nHello\n"


def feedback(fields: str, original: str = ORIGINAL, *, kind: str = "message/feedback-report") -> Message:
    return message_from_string(
        "From: feedback@provider.example\nTo: care@northwind.example\nSubject: FW: your message\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="f"\n\n'
        f"--f\nContent-Type: text/plain\n\nAn abuse report.\n--f\nContent-Type: {kind}\n\n{fields}\n"
        f"--f\nContent-Type: message/rfc822\n\n{original}\n--f--\n",
        policy=policy.compat32,
    )


@pytest.mark.parametrize(
    "fields",
    [
        "Feedback-Type: abuse\nUser-Agent: Provider-FBL/2.0\nVersion: 1\nOriginal-Rcpt-To: <Ann@acme.example>\n",
        "User-Agent: x\nVersion: 0.1\nFeedback-Type: Abuse\n",
        "Feedback-Type: opt-out\nRemoval-Recipient: ann@acme.example\n",
        "Feedback-Type: fraud\nOriginal-Rcpt-To: ann@acme.example\nOriginal-Rcpt-To: ann@acme.example\n",
    ],
)
def test_who_complained_is_known_even_if_only_the_enclosed_mail_says_so(fields: str) -> None:
    message = feedback(fields)
    judgement = classify_message(message)
    assert (judgement.kind, [failure.recipient for failure in judgement.failures]) == ("complaint", ["ann@acme.example"])
    assert judgement.failures[0].fault.whose == "address"
    assert returned_message_ids(message) == (OURS,)


def test_of_whom_the_provider_hides_the_enclosed_message_id_tells() -> None:
    message = feedback("Feedback-Type: abuse\n", ORIGINAL.replace("Ann <ann@acme.example>", "undisclosed recipients:;"))
    judgement = classify_message(message)
    assert (judgement.kind, judgement.recipient) == ("complaint", None)
    assert returned_message_ids(message) == (OURS,)


def test_the_reporting_programme_of_outlook_has_a_header_of_its_own() -> None:
    message = message_from_string(
        "From: staff@hotmail.com\nTo: care@northwind.example\nSubject: complaint about message from 192.0.2.1\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="f"\n\n'
        f"--f\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: ann@acme.example\n{ORIGINAL}\n--f--\n",
        policy=policy.compat32,
    )
    judgement = classify_message(message)
    assert (judgement.kind, judgement.recipient) == ("complaint", "ann@acme.example")


def test_a_complaint_that_amazon_ses_tells() -> None:
    message = message_from_string(
        'From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n{"notificationType": "Complaint",'
        ' "complaint": {"complainedRecipients": [{"emailAddress": "ann@acme.example"}]}, "mail": {}}\n',
        policy=policy.compat32,
    )
    judgement = classify_message(message)
    assert (judgement.kind, judgement.recipient) == ("complaint", "ann@acme.example")


@pytest.mark.parametrize("kind", ["auth-failure", "not-spam", "virus", "dmarc"])
def test_what_nobody_complained_of_suppresses_nobody(kind: str) -> None:
    judgement = classify_message(feedback(f"Feedback-Type: {kind}\nOriginal-Rcpt-To: ann@acme.example\n"))
    assert (judgement.kind, judgement.failures) == ("auto_reply", ())


RECEIPTS = [
    'Subject: Read: your message\nContent-Type: multipart/report; report-type=disposition-notification; boundary="r"\n\n'
    "--r\nContent-Type: text/plain\n\nYour message was displayed.\n--r\nContent-Type: message/disposition-notification\n\n"
    "Final-Recipient: rfc822; ann@acme.example\nDisposition: automatic-action/MDN-sent-automatically; displayed\n--r--\n",
    "Subject: Accepted\nContent-Type: multipart/report; report-type=disposition-notification; boundary=r\n\n"
    "--r\nContent-Type: text/plain\n\n\n--r\nContent-Type: message/disposition-notification\n\n"
    "Disposition: manual-action/MDN-sent-manually; deleted\n--r--\n",
    "Subject: Read: Your quote\n\nYour message\n\n  To: Care\n  Subject: Your quote\n\nwas read on 02/03/2026 10:00.\n",
    "Subject: Gelesen: Ihr Angebot\n\nIhre Nachricht\n\n  An: Care\n\nwurde am 02.03.2026 10:00 gelesen.\n",
]


@pytest.mark.parametrize("receipt", RECEIPTS)
def test_a_read_receipt_is_no_answer(receipt: str) -> None:
    message = message_from_string(f"From: Ann <ann@acme.example>\nIn-Reply-To: {OURS}\n{receipt}", policy=policy.compat32)
    judgement = classify_message(message)
    assert (judgement.kind, judgement.reason) == ("auto_reply", "read receipt")


def test_who_writes_that_a_message_was_read_is_a_person() -> None:
    message = message_from_string(
        f"From: Ann <ann@acme.example>\nIn-Reply-To: {OURS}\nSubject: Re: Your quote\n\nYour message was read on Monday by"
        " our board, and they like it.\n",
        policy=policy.compat32,
    )
    assert classify_message(message).kind == "reply"
