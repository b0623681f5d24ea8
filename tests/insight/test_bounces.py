"""If these fail, mail goes on to addresses that are dead, or a mail server's report is taken for a customer's answer."""

from email import message_from_string, policy
from email.message import Message

import pytest

from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import Judgement, classify_message

OURS = "<action.7.00000000000000000000000000000007@northwind.example>"
ORIGINAL = f"From: care@northwind.example\nTo: ann@acme.example\nSubject: Your quote\nMessage-ID: {OURS}\n\nHello\n"


def mail(head: str, body: str) -> Message:
    """A mail to us as a server writes it."""
    return message_from_string(f"{head}\nTo: care@northwind.example\n{body}", policy=policy.compat32)


def multipart(*parts: str, kind: str = "report; report-type=delivery-status") -> str:
    """The rest of a mail, from its MIME headers on."""
    inner = "".join(f"--b\n{part}\n" for part in parts)
    return f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="b"\n\n{inner}--b--\n'


def text(content: str) -> str:
    return f"Content-Type: text/plain\n\n{content}"


def status(fields: str) -> str:
    return f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.northwind.example\n\n{fields}"


RETURNED = f"Content-Type: message/rfc822\n\n{ORIGINAL}"
HEADERS = f"Content-Type: text/rfc822-headers\n\n{ORIGINAL}"
DAEMON = "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.northwind.example>"

# A kind of report of an address that is dead, each in its own words.
DEAD = {
    "RFC 3464": mail(
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
        multipart(
            text("I'm sorry.\n\n<ann@acme.example>: host mx said: 550 No such user\n    (in reply to RCPT TO command)\n"),
            status(
                "Final-Recipient: rfc822; ann@acme.example\nAction: failed\nStatus: 5.0.0\n"
                "Diagnostic-Code: smtp; 550 No such user\n"
            ),
            RETURNED,
        ),
    ),
    "a forwarded address": mail(
        f"{DAEMON}\nSubject: Undelivered",
        multipart(
            status(
                "Original-Recipient: rfc822;ann@acme.example\nFinal-Recipient: rfc822; @relay.example:bob@elsewhere.example\n"
                "Action: failed (gone)\nStatus: 5.1.1 (no such address)\n"
            ),
            HEADERS,
        ),
    ),
    "given up after days of 450": mail(
        f"{DAEMON}\nSubject: Undelivered",
        multipart(
            text("<ann@acme.example>: 450 4.1.1 User unknown (in reply to RCPT TO command)\n"),
            status(
                "Final-Recipient: rfc822; ann@acme.example\nAction: failed\nStatus: 4.1.1\n"
                "Diagnostic-Code: smtp; 450 4.1.1 User unknown\n"
            ),
            RETURNED,
        ),
    ),
    "fields in a plain text": mail(
        f"{DAEMON}\nSubject: Delivery Status Notification (Failure)",
        "\nAn error occurred.\n\nTechnical report:\n\nReporting-MTA: dsn; mx\n\nAction: failed\n"
        "Final-Recipient: rfc822; ann@acme.example\nDiagnostic-Code: smtp; 550 5.1.1 User Unknown\nStatus: 5.1.1\n\n"
        + ORIGINAL,
    ),
    "no boundary anywhere": mail(
        f"{DAEMON}\nSubject: Undelivered",
        'Content-Type: multipart/report; boundary="lost"\n\n--other\nContent-Type: text/plain; charset=us-ascii\n\n'
        f"<ann@acme.example>: 550 5.1.1 unknown user\n\n{ORIGINAL}",
    ),
    "qmail": mail(
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.northwind.example\nSubject: failure notice",
        "\nHi. This is the qmail-send program at mx.northwind.example.\nI'm afraid I wasn't able to deliver your message.\n"
        "\n<ann@acme.example>:\n192.0.2.32 does not like recipient.\nRemote host said: 550 no mailbox by that name\n"
        f"Giving up on 192.0.2.32.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <>\n{ORIGINAL}",
    ),
    "Exim": mail(
        "From: Mail Delivery System <Mailer-Daemon@mx>\nX-Failed-Recipients: ann@acme.example\nSubject: Mail delivery failed",
        "\nA message that you sent could not be delivered to one or more of its recipients.\n\n  ann@acme.example\n"
        "    SMTP error from remote mail server after RCPT TO:<ann@acme.example>:\n    host mx.acme.example [192.0.2.1]:"
        f" 554 5.7.1 <ann@acme.example>:\n    Recipient address rejected: Access denied\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{ORIGINAL}",
    ),
    "sendmail": mail(
        "From: Mail Delivery Subsystem <MAILER-DAEMON>\nSubject: Returned mail: see transcript for details",
        multipart(
            text(
                "   ----- The following addresses had permanent fatal errors -----\n<ann@acme.example>\n"
                "    (reason: 553 5.3.0 No such user here)\n\n   ----- Transcript of session follows -----\n"
                ">>> RCPT To:<ann@acme.example>\n<<< 553 5.3.0 No such user here\n550 5.1.1 <ann@acme.example>... User unknown\n"
            ),
            status(
                "Final-Recipient: RFC822; ann@acme.example\nAction: failed\nStatus: 5.3.0\n"
                "Diagnostic-Code: SMTP; 553 5.3.0 No such user here\n"
            ),
            HEADERS,
        ),
    ),
    "an old sendmail": mail(
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx>\nSubject: Returned mail: Host unknown",
        "\n   ----- Transcript of session follows -----\n554 <ann@acme.example>... 550 Host unknown (from name server)\n\n"
        f"   ----- Unsent message follows -----\n{ORIGINAL}",
    ),
    "an agent without a domain": mail(
        "From: MAILER-DAEMON <>\nSubject: Mail delivery failed",
        "\nThere was an error delivering your mail to <ann@acme.example>.\n\nmx.acme.example did not like our RCPT TO:\n"
        f"550 5.1.1 <ann@acme.example>: user unknown\n\nMessage headers follow.\n\n{ORIGINAL}",
    ),
    "OpenSMTPD": mail(
        "Return-Path: <>\nFrom: Mailer Daemon <MAILER-DAEMON@mx>\nSubject: Delivery status notification: error",
        "\n    Hi!\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\n"
        f"ann@acme.example: Domain does not exist\n\n    Below is a copy of the original message:\n\n{ORIGINAL}",
    ),
    "Domino": mail(
        "From: Postmaster@acme.example\nSubject: DELIVERY FAILURE: User ann not listed in Domino Directory",
        multipart(
            text("Your message\n\n  Subject: Your quote\n\nwas not delivered to:\n\n  ann@acme.example\n"),
            status(
                "Final-Recipient: rfc822;ann@acme.example\nAction: failed\nStatus: 5.0.0\n"
                "Diagnostic-Code: X-Notes; User ann (ann@acme.example) not listed in Domino Directory\n"
            ),
            RETURNED,
        ),
    ),
    "an old Exchange": mail(
        "From: System Administrator <postmaster@acme.example>\nSubject: Undeliverable: Your quote",
        multipart(
            text(
                "Your message\n\n  To:      ann@acme.example\n\ndid not reach the following recipient(s):\n\n"
                "ann@acme.example on Mon, 2 Mar 2026 09:00:00 +0100\n    The recipient name is not recognized\n"
            ),
            RETURNED,
            kind="mixed",
        ),
    ),
    "Exchange in German, HTML alone": mail(
        "From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@acme.example>\nSubject: Unzustellbar: Quote",
        multipart(
            "Content-Type: text/html; charset=utf-8\n\n<p>Fehler bei der Zustellung an:</p><p>ann@acme.example</p>",
            status(
                "Final-recipient: RFC822;ann@acme.example\nAction: failed\nStatus: 5.1.10\n"
                "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\n"
            ),
            RETURNED,
        ),
    ),
    "Google": mail(
        "Return-Path: <>\nFrom: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)",
        "\nDelivery to the following recipient failed permanently:\n\n     ann@acme.example\n\n"
        "Technical details of permanent failure: \nThe error that the other server returned was:\n"
        f"550 550 unknown user (state 14).\n\n----- Original message -----\n\n{ORIGINAL}",
    ),
    "James, from a text": mail(
        "Return-Path: <>\nFrom: postmaster@mx.example\nSubject: [BOUNCE]",
        multipart(
            text(
                "I'm afraid I wasn't able to deliver your message.\n\nMessage details:\n  MAIL FROM: care@northwind.example\n"
                "  RCPT TO: ann@acme.example\n\nError message below:\n550 - Requested action not taken: no such user here\n"
            ),
            RETURNED,
        ),
    ),
    "a gateway that encloses another's report": mail(
        "From: Mail Delivery Subsystem <MAILER-DAEMON@gate.example>\nSubject: Returned mail: User unknown",
        multipart(
            text("The following addresses had permanent delivery errors\n"),
            "Content-Type: message/rfc822\n\nFrom: MAILER-DAEMON@inner.example\nSubject: Returned mail\n"
            + multipart(
                status("Final-Recipient: rfc822; ann@acme.example\nAction: failed\nStatus: 5.1.1\n"), RETURNED
            ).replace('"b"', '"c"').replace("--b", "--c"),
            kind="mixed",
        ),
    ),
    "a notice of Amazon SES": mail(
        "From: SES <no-reply@sns.amazonaws.com>\nSubject: AWS Notification Message",
        '\n{"notificationType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress":'
        ' "ann@acme.example", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 no such user"}]}, "mail": {"headers":'
        f' [{{"name": "Message-ID", "value": "{OURS}"}}]}}}}\n\n--\nIf you wish to stop receiving notifications\n',
    ),
    "Japanese that nobody labelled": mail(
        "From: Postmaster@acme.example\nSubject: DELIVERY FAILURE",
        multipart(
            text("not delivered\n"),
            status(
                "Final-Recipient: rfc822;ann@acme.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: X-Notes; "
                + "ann (ann@acme.example) Domino ディレクトリには見つかりません".encode("iso-2022-jp").decode("ascii")
                + "\n"
            ),
            RETURNED,
        ),
    ),
}  # fmt: skip


def report(diagnostic: str, *, action: str = "failed", code: str = "5.0.0", said: str = "") -> Message:
    fields = f"Final-Recipient: rfc822; ann@acme.example\nAction: {action}\nStatus: {code}\n"
    return mail(
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
        multipart(text(f"Sorry.\n\n{said}"), status(f"{fields}Diagnostic-Code: {diagnostic}\n"), RETURNED),
    )


@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_address_is_found_in_every_kind_of_report(kind: str) -> None:
    judgement = classify_message(DEAD[kind])
    assert (judgement.kind, judgement.hard, judgement.recipient) == ("bounce", True, "ann@acme.example")


@pytest.mark.parametrize("kind", DEAD)
def test_our_own_message_is_found_in_what_comes_back(kind: str) -> None:
    assert OURS in returned_message_ids(DEAD[kind])


@pytest.mark.parametrize(
    ("diagnostic", "whose"),
    [
        ("smtp; 550 5.7.1 Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example", "sender"),
        ("smtp; 552 5.3.4 Message size exceeds fixed limit", "message"),
        ("smtp; 552 5.2.2 Over quota", "moment"),
        ("X-Postfix; connect to mx.acme.example[192.0.2.1]:25: Connection timed out", "moment"),
        ("x-unix; procmail: Couldn't create /var/spool/mail/ann id: No such user", "moment"),
        ("smtp; 550 5.0.0 user unknown", "message"),
    ],
)
def test_what_is_no_fault_of_the_address_gives_it_not_up(diagnostic: str, whose: str) -> None:
    (failure,) = classify_message(report(diagnostic)).failures
    assert (failure.recipient, failure.fault.whose) == ("ann@acme.example", whose)


def test_unknown_user_after_the_message_itself_is_a_filters_word() -> None:
    said = "<ann@acme.example>: host mx said: 550 Unknown user ann@acme.example (in reply to end of DATA command)"
    judgement = classify_message(report("smtp; 550 Unknown user ann@acme.example", said=said))
    assert (judgement.kind, judgement.hard) == ("bounce", False)


def test_what_is_told_to_people_does_not_overrule_the_servers_words() -> None:
    said = "The address may have been misspelled, or the user unknown. Check the address and send it again."
    assert classify_message(report("smtp; 554 Rejected", said=said)).hard is False


DELAYS = {
    "RFC 3464": report("smtp; 450 4.2.0 greylisted", action="delayed", code="4.2.0"),
    "Google": mail(
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Delay)",
        "\nTHIS IS A WARNING MESSAGE ONLY.\n\nYOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\nDelivery to the following recipient"
        f" has been delayed:\n\n     ann@acme.example\n\n550 user unknown\n\n----- Original message -----\n\n{ORIGINAL}",
    ),
    "Postfix": mail(
        "From: MAILER-DAEMON@mx (Mail Delivery System)\nSubject: Delayed Mail (still being retried)",
        "\nYour message could not be delivered for more than 2 hour(s).\nIt will be retried until it is 4 day(s) old.\n\n"
        "<ann@acme.example>: connect to mx.acme.example[192.0.2.2]:25: No route to host\n\nFinal-Recipient: rfc822;"
        " ann@acme.example\nAction: delayed\nStatus: 4.4.1\n",
    ),
}


@pytest.mark.parametrize("kind", DELAYS)
def test_a_delay_is_no_failure_yet(kind: str) -> None:
    (failure,) = classify_message(DELAYS[kind]).failures
    assert (failure.recipient, failure.fault.whose, failure.delayed) == ("ann@acme.example", "moment", True)


def test_each_of_several_recipients_has_a_cause_of_its_own() -> None:
    judgement = classify_message(
        mail(
            f"{DAEMON}\nSubject: Undelivered",
            "\nI could not deliver your message to:\n\n<bob@acme.example>: host mx said: 552 5.2.2\n"
            "    <bob@acme.example>... Mailbox full (in reply to RCPT TO command)\n\n<ann@acme.example>: host mx said: 550"
            "\n    5.2.1 <ann@acme.example>... User Unknown (in reply to RCPT TO command)\n",
        )
    )
    assert [(failure.recipient, failure.fault.whose) for failure in judgement.failures] == [
        ("bob@acme.example", "moment"),
        ("ann@acme.example", "address"),
    ]
    assert judgement.recipient == "ann@acme.example"


def test_success_is_no_bounce() -> None:
    for action in ("delivered", "relayed", "expanded", "deliverable"):
        assert classify_message(report("smtp; 250 ok", action=action, code="2.0.0")).kind == "auto_reply"


PEOPLE = {
    "who forwards a bounce": mail(
        "From: Ann <ann@acme.example>\nSubject: Fwd: Undelivered Mail Returned to Sender",
        multipart(
            text("Look what I got. It could not be delivered: 550 5.1.1 user unknown.\n"),
            "Content-Type: message/rfc822\n\n" + DEAD["RFC 3464"].as_string().replace("--b", "--c").replace('"b"', '"c"'),
            kind="mixed",
        ),
    ),
    "who quotes one": mail(
        "From: Ann <ann@acme.example>\nSubject: Re: Undelivered mail",
        "\nI moved.\n\n> 550 5.1.1 <ann@acme.example>: user unknown\n> Final-Recipient: rfc822; ann@acme.example\n",
    ),
    "whose parcel was not delivered": mail(
        "From: Ann <ann@acme.example>\nSubject: Delivery failed", "\nThe parcel could not be delivered. Very annoying.\n"
    ),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_a_person_stays_a_person(who: str) -> None:
    assert classify_message(PEOPLE[who]) == Judgement("reply", "no sign of a machine")


def test_an_order_system_that_cannot_deliver_a_parcel_reports_no_dead_address() -> None:
    parcel = mail("From: no-reply@parcels.example\nSubject: Delivery failed", "\nYour parcel could not be delivered.\n")
    assert classify_message(parcel).failures == ()
