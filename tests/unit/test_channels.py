"""If these fail, a message is lost, doubled, sent in the clear, or given up for a fault that was not its own."""

import mailbox
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from tests.letters import part_of
from tests.mail import MailServer, dripping, free_port
from workers import deadline
from workers.correspondence import Answered, message_id, reference
from workers.delivery.channels import Blocked, MaildirChannel, Outcome, Rejected, RetryLater, Sent, SmtpChannel
from workers.delivery.message import Letter, compose
from workers.delivery.texts import Text

TENANT = UUID(int=7)
PEM = Path(__file__).parent / "self_signed.pem"


def letter(action: int = 1, subject: str = "Grüße aus Łódź", body: str = "Guten Tag, 你好\n") -> Letter:
    return compose(
        Text(subject, body), action=action, tenant=TENANT, tenant_name="Northwind", address="ann@acme.example",
        from_name="Zoë & Café Łódź", from_address="care@fleet.example",
    )  # fmt: skip


def send(url: str, *letters: Letter) -> list[Outcome]:
    with SmtpChannel(url) as channel:
        return [channel.send(one) for one in letters]


def own_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


@contextmanager
def greeter(line: bytes) -> Iterator[str]:
    """A server that says one line to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(line)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_eml_file_lands_in_new_and_any_mail_program_can_read_it(tmp_path: Path) -> None:
    with MaildirChannel(tmp_path / "mail") as channel:
        assert channel.send(letter()) == Sent()

    (file,) = (tmp_path / "mail" / "new").iterdir()
    assert file.suffix == ".eml"
    assert not list((tmp_path / "mail" / "tmp").iterdir())
    (read,) = mailbox.Maildir(tmp_path / "mail", create=False, factory=None)
    assert read["To"] == "ann@acme.example"
    assert read["Message-ID"] == letter().message_id


def test_a_repeated_send_is_one_file_and_two_messages_are_two(tmp_path: Path) -> None:
    with MaildirChannel(tmp_path) as channel:
        for action in (1, 1, 2):
            assert channel.send(letter(action)) == Sent()

    assert len(mailbox.Maildir(tmp_path, create=False)) == 2


def test_a_full_or_missing_maildir_is_a_channel_that_is_down(tmp_path: Path) -> None:
    with MaildirChannel(tmp_path / "mail") as channel:
        (tmp_path / "mail" / "tmp").rmdir()
        outcome = channel.send(letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down


def test_a_tenants_endless_domain_fits_into_a_file_name(tmp_path: Path) -> None:
    domain = ".".join(["d" * 60] * 4)
    message = compose(
        Text("Hello", "Hello\n"), action=1, tenant=TENANT, tenant_name="Northwind", address="ann@acme.example",
        from_name=None, from_address=f"care@{domain}",
    )  # fmt: skip

    with MaildirChannel(tmp_path) as channel:
        assert channel.send(message) == Sent()


def test_an_accepted_message_arrives_with_every_letter_of_subject_sender_and_text() -> None:
    with MailServer() as server:
        assert send(server.url, letter()) == [Sent()]

    ((address, message),) = server.received
    assert address == "ann@acme.example"
    assert message["Subject"] == "Grüße aus Łódź"
    assert message["From"].addresses[0].display_name == "Zoë & Café Łódź"
    for kind in ("plain", "html"):
        assert "Guten Tag, 你好" in part_of(message, kind)
        assert f"Ref: {reference(1)}" in part_of(message, kind)
    assert message["Message-ID"] == message_id(Answered(1, TENANT), "fleet.example")
    assert message["Auto-Submitted"] == "auto-generated"


def _refuse_once(server: MailServer, where: str, reply: str) -> None:
    refusals = iter([reply])
    if where == "RCPT":
        server.answer_recipient = lambda _address: next(refusals, None)
    else:
        server.answer = lambda _address, _message: next(refusals, None)


def answered(where: str, reply: str) -> tuple[list[Outcome], list[str]]:
    """What becomes of two messages if the first is refused, and which of them arrived; PIPELINING changes nothing."""
    seen = []
    for pipelining in (True, False):
        server = MailServer(pipelining=pipelining)
        _refuse_once(server, where, reply)
        with server:
            seen.append((send(server.url, letter(1), letter(2)), server.message_ids()))
    assert seen[0] == seen[1]
    return seen[0]


@pytest.mark.parametrize("where", ["RCPT", "DATA"])
@pytest.mark.parametrize(
    "reply", ["450 try again later", "452 mailbox full", "552 5.2.2 over quota", "451 4.7.1 greylisted"]
)
def test_what_may_pass_is_tried_again_and_the_next_message_goes_out(where: str, reply: str) -> None:
    (first, second), arrived = answered(where, reply)

    assert isinstance(first, RetryLater)
    assert (first.error, first.channel_down, first.fault and first.fault.whose) == (reply, False, "moment")
    assert (second, arrived) == (Sent(), [letter(2).message_id])


@pytest.mark.parametrize(
    ("where", "reply", "whose"),
    [
        ("RCPT", "550 no such user", "address"),
        ("RCPT", "550 5.1.1 no such user", "address"),
        ("DATA", "550 no such user", "message"),
        ("RCPT", "554 we do not want this", "message"),
        ("DATA", "554 we do not want this", "message"),
        ("DATA", "552 5.3.4 message size exceeds fixed limit", "message"),
    ],
)
def test_what_is_refused_for_good_fails_with_whose_fault_it_is(where: str, reply: str, whose: str) -> None:
    (first, second), arrived = answered(where, reply)

    assert isinstance(first, Rejected)
    assert (first.error, first.fault and first.fault.whose) == (reply, whose)
    assert (second, arrived) == (Sent(), [letter(2).message_id])


@pytest.mark.parametrize("where", ["RCPT", "DATA"])
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.4.5 Daily user sending limit exceeded",
        "554 5.7.1 Relay access denied",
        "550 5.7.1 Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example",
        "550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy",
        "550 5.7.60 Client does not have permissions to send as this sender",
        "454 4.7.0 Throttling failure: daily message quota exceeded",
    ],
)
def test_what_is_wrong_with_the_sender_fails_no_message(where: str, reply: str) -> None:
    (first, _), _ = answered(where, reply)

    assert first == Blocked(reply)


@contextmanager
def careless() -> Iterator[tuple[str, list[bytes]]]:
    """A server that lets each text begin, whoever is to get it; yields its URL, and the texts that it was sent."""
    texts: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            recipients = iter([b"550 5.1.1 no such user", b"250 yes"])
            with connection, connection.makefile("rwb", buffering=0) as talk:
                talk.write(b"220 hello\r\n")
                for line in talk:
                    match line[:4]:
                        case b"ehlo":
                            talk.write(b"250-hello\r\n250 PIPELINING\r\n")
                        case b"RCPT":
                            talk.write(next(recipients) + b"\r\n")
                        case b"DATA":
                            talk.write(b"354 go on\r\n")
                            texts.append(b"".join(iter(talk.readline, b".\r\n")))
                            talk.write(b"250 taken\r\n")
                        case _:
                            talk.write(b"250 yes\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}", texts
        thread.join()


def test_a_server_that_asks_for_the_text_of_what_it_refused_gets_an_empty_one() -> None:
    with careless() as (url, texts):
        dotted = letter(2, body=".\n..\n.a\n")
        first, second = send(url, letter(1), dotted)

    assert isinstance(first, Rejected)
    assert (first.error, second) == ("550 5.1.1 no such user", Sent())
    assert texts == [b"", dotted.raw.replace(b"\r\n.", b"\r\n..")]


def test_a_connection_that_may_carry_no_more_is_replaced_by_a_new_one() -> None:
    replies = iter([None, "421 too many messages in this session"])
    with MailServer(answer_recipient=lambda _address: next(replies, None)) as server:
        _, lost, third = send(server.url, letter(1), letter(2), letter(3))

    assert isinstance(lost, RetryLater)
    assert (lost.error, lost.channel_down) == ("421 too many messages in this session", False)
    assert third == Sent()


@pytest.mark.parametrize("where", ["RCPT", "DATA"])
def test_a_connection_that_carries_nothing_is_a_channel_that_is_down(where: str) -> None:
    (first, _), _ = answered(where, "421 4.7.0 try again later")

    assert isinstance(first, RetryLater)
    assert (first.channel_down, first.fault is not None) == (True, True)


@pytest.mark.parametrize("answers", [[], [b"220 hello\r\n"], [b"220 hello\r\n", b"250 you too\r\n"]])
def test_a_server_that_drips_its_answers_holds_a_message_no_longer_than_its_whole_time(
    answers: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmtpChannel, "_DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(SmtpChannel, "_TIMEOUT_SECONDS", 20)
    begun = time.monotonic()
    with dripping(answers, b"250-still here\r\n") as port:
        (outcome,) = send(f"smtp://127.0.0.1:{port}", letter())

    assert isinstance(outcome, RetryLater)
    assert time.monotonic() - begun < 10


def test_a_worker_that_is_told_to_stop_waits_a_few_seconds_for_a_slow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_LAST_SECONDS", 0.1)
    monkeypatch.setattr(deadline, "stopping", lambda: True)
    begun = time.monotonic()
    with dripping([b"220 hello\r\n"], b"250-still here\r\n") as port:
        (outcome,) = send(f"smtp://127.0.0.1:{port}", letter())

    assert isinstance(outcome, RetryLater)
    assert time.monotonic() - begun < 10


def test_nobody_listening_is_a_channel_that_is_down() -> None:
    (outcome,) = send(f"smtp://127.0.0.1:{free_port()}", letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down
    assert "refused" in outcome.error


@pytest.mark.parametrize(
    "greeting", [b"554 your network is blocked\r\n", b"421 too busy\r\n", b"", b"\x00\xff nonsense\r\n"]
)
def test_a_server_that_refuses_to_talk_says_nothing_about_the_message(greeting: bytes) -> None:
    with greeter(greeting) as url:
        (outcome,) = send(url, letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down


def test_a_server_that_dies_in_the_middle_of_a_batch_and_comes_back() -> None:
    with MailServer() as server, SmtpChannel(server.url) as channel:
        assert channel.send(letter(1)) == Sent()
        server.stop()
        lost = channel.send(letter(2))
        away = channel.send(letter(2))
        with server:
            assert channel.send(letter(2)) == Sent()
            assert channel.send(letter(3)) == Sent()

    assert isinstance(lost, RetryLater)
    assert isinstance(away, RetryLater)
    assert away.channel_down
    assert server.message_ids() == [letter(number).message_id for number in (1, 2, 3)]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_login_counts_and_a_wrong_password_is_no_fault_of_the_message() -> None:
    with MailServer(password="pass/word@1") as server:  # noqa: S106  # a test's own
        place = server.url.removeprefix("smtp://")
        (wrong,) = send(f"smtp://care:guess@{place}?starttls=off", letter(1))
        assert send(f"smtp://care:pass%2Fword%401@{place}?starttls=off", letter(2)) == [Sent()]

    assert isinstance(wrong, RetryLater)
    assert wrong.channel_down
    assert "login refused" in wrong.error
    assert server.message_ids() == [letter(2).message_id]


def test_a_login_where_the_server_knows_none_is_no_fault_of_the_message() -> None:
    with MailServer() as server:
        (outcome,) = send(f"{server.url.replace('//', '//care:secret@')}?starttls=off", letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_is_not_sent_to_a_server_without_tls() -> None:
    with MailServer(password="secret") as server:  # noqa: S106  # a test's own
        (outcome,) = send(server.url.replace("//", "//care:secret@"), letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down
    assert "STARTTLS" in outcome.error
    assert (server.logins, server.received) == ([], [])


def test_where_starttls_is_required_and_not_offered_nothing_is_sent() -> None:
    with MailServer() as server:
        (outcome,) = send(f"{server.url}?starttls=required", letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down
    assert "STARTTLS" in outcome.error
    assert server.received == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_nobody_vouches_for_is_refused_and_nothing_goes_out_in_the_clear(scheme: str) -> None:
    context = own_certificate()
    server = MailServer(tls=context) if scheme == "smtps" else MailServer(starttls=context)
    with server:
        (outcome,) = send(f"{scheme}://127.0.0.1:{server.port}", letter())

    assert isinstance(outcome, RetryLater)
    assert outcome.channel_down
    assert "certificate" in outcome.error
    assert server.received == []


@pytest.mark.parametrize("url", ["smtp://127.0.0.1:{}?starttls=required", "smtps://127.0.0.1:{}"])
def test_a_certificate_that_is_trusted_is_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    context = own_certificate()
    server = MailServer(tls=context) if url.startswith("smtps") else MailServer(starttls=context)
    with server:
        assert send(url.format(server.port), letter(1), letter(2)) == [Sent(), Sent()]

    assert len(server.received) == 2
