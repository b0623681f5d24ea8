"""If these fail, a customer who lives is never written to again, or a dead address is written to for ever."""

import pytest

from tests.cost import costs_little
from workers.insight.failures import Command, read_codes, whose_fault

# What servers answer, written after the public documentation of the named systems.
DEAD: list[tuple[Command | None, str]] = [
    ("RCPT", "550 5.1.1 <ann@acme.example>: Recipient address rejected: User unknown in virtual mailbox table"),
    (
        "RCPT",
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550 5.1.1 double-checking",
    ),
    (None, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (None, "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"),
    ("RCPT", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [mx.prod.protection.outlook.com]"),
    ("RCPT", "550 Requested action not taken: mailbox unavailable"),
    ("RCPT", "550 5.7.1 No such user!"),
    ("RCPT", "552 1 Requested mail action aborted, mailbox not found"),
    ("RCPT", "553 5.3.0 <ann@acme.example>... User unknown, not local address"),
    ("RCPT", "550 Unknown local part ann in <ann@acme.example>"),
    ("RCPT", "550 #5.1.0 Address rejected."),
    ("RCPT", "553 sorry, this recipient is not in my validrcptto list (#5.7.1)"),
    (None, "550 <ann@acme.example>: User unknown"),
    (None, "Remote host said: 550 No such user here"),
    (None, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [mx.prod.protection.outlook.com]"),
    (None, "550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550"),
    (None, "552 1 Requested mail action aborted, mailbox not found"),
    (None, "550 Die Adresse ann@acme.example existiert nicht"),
    (None, "Adresse nicht gefunden. Ihre Nachricht wurde nicht an ann@acme.example zugestellt."),
    (None, "такого пользователя не существует: 550 User not found"),
    (None, "550 5.5.0 Le destinataire n'existe pas / Recipient does not exist LPN105_301"),
    (None, "User ann (ann@acme.example) not listed in Domino Directory"),
    (None, "sorry, no mailbox here by that name (#5.1.1 - chkusr)"),
    ("RCPT", "550 5.1.1 Adresse inconnue, utilisateur inconnu"),
    ("RCPT", "550 Empfänger unbekannt"),
    ("RCPT", "550 5.1.6 Mailbox has moved, no forwarding address"),
    ("RCPT", "501 5.1.3 Bad recipient address syntax"),
    (None, "550 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain"),
    (None, "Sorry, I couldn't find any host named acme.example. (#5.1.2)"),
    (None, "556 5.1.10 Recipient address has null MX"),
    (None, "521 5.3.2 acme.example does not accept mail"),
]
SENDERS: list[tuple[Command | None, str]] = [
    ("RCPT", "550 5.4.5 Daily user sending limit exceeded. For more information on sending limits go to"),
    ("DATA", "454 Throttling failure: Daily message quota exceeded."),
    ("MAIL", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
    ("MAIL", "553 5.7.1 <care@northwind.example>: Sender address rejected: not owned by user bob"),
    ("DATA", "554 5.2.252 SendAsDenied; care@northwind.example not allowed to send as bob@northwind.example"),
    ("RCPT", "554 5.7.1 <ann@acme.example>: Relay access denied"),
    ("RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    ("MAIL", "530 5.7.0 Authentication Required."),
    ("RCPT", "550 5.7.1 Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example"),
    ("MAIL", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    ("RCPT", "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]"),
    ("DATA", "550-5.7.26 Unauthenticated email is not accepted due to the\n550 5.7.26 domain's DMARC policy."),
    ("DATA", "550 5.7.1 Email rejected per SPF policy"),
    ("DATA", "554 5.7.1 Message blocked due to spam content in the message."),
    ("DATA", "554 5.7.9 Message not accepted for policy reasons."),
    ("MAIL", "550 Unroutable sender address"),
    ("MAIL", "550 Rejected"),
    ("CONNECT", "501 5.0.0 Invalid domain name"),
    (None, "553 5.1.8 <care@northwind.example>... Domain of sender address care@northwind.example does not exist"),
    ("RCPT", "550 5.7.5 Must issue a STARTTLS command first"),
]
MESSAGES: list[tuple[Command | None, str]] = [
    ("MAIL", "552 5.3.4 Message size exceeds fixed limit"),
    ("DATA", "552-5.2.3 Your message exceeded Google's message size limits."),
    ("DATA", "550 5.6.9 improper use of 8-bit data in message header"),
    ("DATA", "554 5.6.0 Invalid message content"),
    ("DATA", "550 Virus found in your message"),
    ("DATA", "503 5.5.0 Improper sequence of commands"),
    ("DATA", "554 Transaction failed"),
    ("RCPT", "550 we do not want this"),
    # "Unknown" where a server does not know its users: after the message itself, or with a code that says otherwise.
    ("DATA", "550 User unknown"),
    (None, "550 5.2.1 <ann@acme.example>... User Unknown"),
    (None, "550 5.7.1 User Unknown: ann@acme.example"),
    (None, "550 5.0.0 user unknown"),
    (None, "the group that you tried to contact may not exist, or you may not have permission to post"),
]
MOMENTS: list[tuple[Command | None, str]] = [
    ("RCPT", "452 mailbox full"),
    ("RCPT", "552 5.2.2 The email account that you tried to reach is over quota."),
    (None, "552 sorry, mailbox ann@acme.example is over quota temporarily (#5.1.1)"),
    (None, "5.1.0 - Unknown address error 550-'5.2.2 <ann@acme.example>... Mailbox Full'"),
    ("RCPT", "550 5.2.1 The email account that you tried to reach is disabled."),
    ("RCPT", "525 5.7.13 Disabled recipient address"),
    ("DATA", "554 delivery error: dd This account has been disabled or discontinued [#102]"),
    ("RCPT", "450 4.2.0 <ann@acme.example>: Recipient address rejected: Greylisted"),
    ("RCPT", "450 4.1.1 <ann@acme.example>: Recipient address rejected: unverified address"),
    ("RCPT", "450 4.1.1 <ann@acme.example>: Recipient address rejected: User unknown in virtual alias table"),
    (None, "Name service error for domain acme.example: Host not found, try again"),
    (None, "550 5.4.316 Message expired, connection refused"),
    (None, "connect to mx.acme.example[192.0.2.1]:25: Connection timed out"),
    ("DATA", "451 4.3.0 Mail server temporarily rejected message."),
    ("CONNECT", "421 4.3.2 Service not available, closing transmission channel"),
    ("RCPT", "450 try again later"),
    (None, "all hosts have been failing for a long time and were last tried after this message arrived"),
    (None, "no reason at all"),
]


def _whose(command: Command | None, said: str) -> str:
    code, enhanced = read_codes(said)
    return whose_fault(code, enhanced, said, command=command).whose


@pytest.mark.parametrize(("command", "said"), DEAD)
def test_a_dead_address_is_given_up(command: Command | None, said: str) -> None:
    assert _whose(command, said) == "address"


@pytest.mark.parametrize(("command", "said"), SENDERS)
def test_what_is_wrong_with_our_server_or_domain_costs_no_customer(command: Command | None, said: str) -> None:
    assert _whose(command, said) == "sender"


@pytest.mark.parametrize(("command", "said"), MESSAGES)
def test_what_is_wrong_with_one_message_costs_that_one(command: Command | None, said: str) -> None:
    assert _whose(command, said) == "message"


@pytest.mark.parametrize(("command", "said"), MOMENTS)
def test_what_may_pass_is_tried_again(command: Command | None, said: str) -> None:
    assert _whose(command, said) == "moment"


def test_a_code_alone_is_enough_and_a_cause_is_always_named() -> None:
    for code, enhanced, whose in (
        (550, "5.1.1", "address"), (550, "5.7.26", "sender"), (552, "5.3.4", "message"), (550, "5.2.2", "moment"),
        (550, "5.0.0", "message"), (451, "4.4.1", "moment"), (None, None, "moment"),
    ):  # fmt: skip
        fault = whose_fault(code, enhanced, "")
        assert (fault.whose, bool(fault.cause)) == (whose, True)


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (
            "host mx.acme.example[192.0.2.222] said: 550 5.1.1 no such user (in reply to RCPT)",
            (550, "5.1.1"),
        ),
        ("550-5.7.26 one half\n550 5.7.26 the other", (550, "5.7.26")),
        ("sorry (#5.1.1)", (None, "5.1.1")),
        ("Connection to mx.acme.example[192.0.2.55] port 587: 450 4.4.1 later", (450, "4.4.1")),
        ("see https://support.example/550?code=5.1.1 for more", (None, None)),
        ("", (None, None)),
    ],
)
def test_codes_are_found_in_what_servers_say(said: str, codes: tuple[int | None, str | None]) -> None:
    assert read_codes(said) == codes


@pytest.mark.parametrize("piece", ["user ", "mailbox a b c ", "550 ", "5.1.", "a@b ", "unknown address ", "http://"])
def test_a_hostile_answer_costs_no_time(piece: str) -> None:
    said = piece * (1_000_000 // len(piece))
    assert costs_little(lambda: whose_fault(*read_codes(said), said))
