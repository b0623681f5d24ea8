# ruff: noqa: ARG002 - the library calls the handlers by position with more than they need
"""A real SMTP server on the loopback, which can be told what to answer and be stopped in the middle."""

import base64
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Answer = Callable[[str, EmailMessage], str | Awaitable[str | None] | None]


def free_port() -> int:
    """Return a port that nothing listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class MailServer:
    """Keeps what it accepts; `answer(address, message)` may return another reply than "250", and may be awaited."""

    port: int = field(default_factory=free_port)
    answer: Answer = lambda _address, _message: None
    answer_recipient: Callable[[str], str | None] = lambda _address: None
    most_connections: int | None = None
    pipelining: bool = True
    password: str | None = None
    takes_token: Callable[[str], bool] | None = None  # XOAUTH2, and no password
    tls: ssl.SSLContext | None = None
    starttls: ssl.SSLContext | None = None
    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    _greeted: int = 0
    _controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def message_ids(self) -> list[str]:  # no property: aiosmtpd reads them all at each connection
        return [message["Message-ID"] for _, message in self.received]

    def __enter__(self) -> Self:
        options: dict[str, Any] = {"tls_context": self.starttls, "ssl_context": self.tls}
        if self.password is not None:
            options |= {"authenticator": self._login, "auth_required": True, "auth_require_tls": False}
        if self.takes_token is not None:
            options |= {"auth_required": True, "auth_require_tls": False, "auth_exclude_mechanism": ["LOGIN", "PLAIN"]}
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go away, with every connection."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def _login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.login if isinstance(data, LoginPassword) else b"")
        right = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=right, handled=right)

    async def handle_EHLO(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        if self._greeted == self.most_connections:
            return ["421 4.7.0 Too many connections"]
        self._greeted += 1
        session.host_name = hostname
        return ["250-PIPELINING", *responses] if self.pipelining else responses

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802  # the library's name
        """As Microsoft and Google describe it: refused, the client is asked once more, and has nothing to say."""
        user, bearer, *_ = base64.b64decode(args[1], validate=True).decode().split("\x01")
        token = bearer.removeprefix("auth=Bearer ")
        self.tokens.append((user.removeprefix("user="), token))
        if self.takes_token is not None and self.takes_token(token):
            return AuthResult(success=True)
        await server.push("334 " + base64.b64encode(b'{"status":"400","schemes":"Bearer"}').decode())
        assert await server._reader.readline() == b"\r\n"  # challenge_auth() takes no empty answer
        return AuthResult(success=False, handled=False, message="535 5.7.3 Authentication unsuccessful")

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.answer_recipient(address)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        (address,) = envelope.rcpt_tos
        reply = self.answer(address, message)
        if isinstance(reply, Awaitable):
            reply = await reply
        if reply is None:
            self.received.append((address, message))
        return reply or "250 OK"


@contextmanager
def dripping(answers: list[bytes], line: bytes) -> Iterator[int]:
    """A server that gives these answers, and drips a line now and then instead of the next one; yields its port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as asked, suppress(OSError):
                for answer in answers:
                    connection.sendall(answer)
                    asked.readline()
                while not over.wait(0.05):
                    connection.sendall(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        over.set()
        thread.join()
