"""A machine's answer must not stop a follow-up, and a person's must never be taken for a machine's."""

import email
import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def report(fields: str) -> EmailMessage:
    raw = (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example>\nReturn-Path: <>\n"
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nSorry.\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{fields}\n"
        "--b\nContent-Type: message/rfc822\n\nFrom: us@fleet.example\nSubject: Quote\n\nHello\n--b--\n"
    )
    message = email.message_from_string(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
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
        {"Precedence": "normal"},
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
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"Return_Path": "<>"}, "auto_reply"),
        ({"Auto_Submitted": "auto-replied", "Subject": "Out of Office: Re: Your order"}, "out_of_office"),
        ({"X_Auto_Response_Suppress": "All", "Subject": "Automatische Antwort: Angebot"}, "out_of_office"),
        ({"Precedence": "bulk", "Subject": "Re: Absence du bureau"}, "out_of_office"),
        ({"Auto_Submitted": "auto-replied", "Subject": "自动回复: 报价"}, "out_of_office"),
        ({"Precedence": "bulk"}, "bulk"),
        ({"Precedence": "list"}, "bulk"),
        ({"Precedence": "junk"}, "bulk"),
        ({"List_Unsubscribe": "<mailto:leave@news.example>"}, "bulk"),
    ],
)
def test_machines_are_recognised_by_their_headers(headers: dict[str, str], kind: str) -> None:
    judgement = classify_message(mail(**headers))
    assert judgement.kind == kind
    assert judgement.reason


@pytest.mark.parametrize(
    ("fields", "hard", "status"),
    [
        ("Final-Recipient: rfc822; Ann+Q@Gone.example\nAction: failed\nStatus: 5.1.1", True, "5.1.1"),
        ("Final-Recipient: rfc822;ann@gone.example\nAction: failed\nStatus: 4.4.7", False, "4.4.7"),
        ("Final-Recipient: rfc822; ann@gone.example\nAction: delayed\nStatus: 4.2.0", False, "4.2.0"),
        ("Final-Recipient: rfc822; ann@gone.example\nAction: failed\nStatus: 5.2.2", False, "5.2.2"),
        (
            "Original-Recipient: rfc822; ann@gone.example\nFinal-Recipient: rfc822; x@b.c\nStatus: 5.0.0",
            True,
            "5.0.0",
        ),
    ],
)
def test_a_bounce_says_whom_it_did_not_reach_and_whether_for_good(fields: str, hard: bool, status: str) -> None:
    judgement = classify_message(report(fields))
    assert (judgement.kind, judgement.hard, judgement.recipient, judgement.status) == (
        "bounce",
        hard,
        "ann@gone.example",
        status,
    )


def test_a_report_of_success_is_no_bounce() -> None:
    fields = "Final-Recipient: rfc822; ann@here.example\nAction: delivered\nStatus: 2.0.0"
    assert classify_message(report(fields)).kind == "auto_reply"


def test_an_old_mailer_without_a_report_still_bounces() -> None:
    message = mail(Subject="failure notice", X_Failed_Recipients="ann@gone.example")
    message.replace_header("From", "MAILER-DAEMON@mx.example")
    message.set_content("550 5.1.1 <ann@gone.example>: user unknown")
    judgement = classify_message(message)
    assert (judgement.kind, judgement.hard, judgement.recipient) == ("bounce", True, "ann@gone.example")


def test_a_person_who_forwards_a_bounce_is_a_person() -> None:
    message = mail(Subject="Fwd: Undelivered Mail Returned to Sender")
    message.add_attachment(report("Final-Recipient: rfc822; ann@gone.example\nAction: failed\nStatus: 5.1.1"))
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


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_more(address: str) -> None:
    once = fold_address(address)
    assert fold_address(once) == once or "@" not in once or '"' in once


@relaxed
@given(st.binary(max_size=600))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    head = b"Content-Type: multipart/report; boundary=b\nPrecedence: "
    for policy in (email.policy.default, email.policy.compat32):
        classify_message(email.message_from_bytes(raw, policy=policy))
        classify_message(email.message_from_bytes(head + raw, policy=policy))


@pytest.mark.parametrize("piece", ["re:", "re: [1]", "<", '"', "a@", "status: 5.", "\\", " "])
def test_hostile_headers_stay_cheap(piece: str) -> None:
    message = EmailMessage(policy=email.policy.compat32)
    hostile = piece * (100_000 // len(piece))
    for name in ("Subject", "From", "Auto-Submitted", "X-Failed-Recipients", "Return-Path"):
        message[name] = hostile if name != "Auto-Submitted" else "no"
    message.set_payload(hostile)
    started = time.process_time()
    classify_message(message)
    fold_address(hostile)
    assert time.process_time() - started < 0.05
