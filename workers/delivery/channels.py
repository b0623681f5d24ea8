"""Channels carry one message out and say what became of it; outcomes are values, exceptions are bugs."""

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import parse_qs, unquote, urlsplit

_PERMANENT: Final = 5  # the first digit of an SMTP reply that will never change (RFC 5321, 4.2.1)


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took the message."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Nothing is known to be wrong with the message; the receiver, or the way to it, is not ready."""

    error: str
    channel_down: bool = False  # no other message would fare better now: leave the rest unclaimed


@dataclass(frozen=True, slots=True)
class Rejected:
    """The receiver will never take this message (SMTP 5xx)."""

    error: str


Outcome = Sent | RetryLater | Rejected


class Channel(Protocol):
    """A way out for e-mail, opened for a batch of messages."""

    def __enter__(self) -> Self:
        """Open the channel; a receiver that is away shows in the outcome of each message."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def send(self, message: EmailMessage, address: str) -> Outcome:
        """Send one message to one address."""


class MaildirChannel:
    """Writes each message as an .eml file into a Maildir: the default, which reaches no real person."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        for name in ("tmp", "new", "cur"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def send(self, message: EmailMessage, address: str) -> Outcome:  # noqa: ARG002  # the message names it too
        """Write the message; its file is named after its Message-ID, so a repeated send is the same file."""
        name = message["Message-ID"].strip("<>").replace("/", "_") + ".eml"
        draft = self._folder / "tmp" / f"{os.getpid()}-{name}"
        try:
            with draft.open("wb") as file:
                file.write(bytes(message))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / "new" / name)
        except OSError as error:
            return RetryLater(f"cannot write to {self._folder}: {error.strerror}", channel_down=True)
        return Sent()


class SmtpChannel:
    """Sends over SMTP; one connection serves a batch and is opened again when it is lost.

    The URL: smtp://user:password@host:587 (STARTTLS where the server offers it; ?starttls=required insists)
    or smtps://user:password@host:465.
    """

    _TIMEOUT_SECONDS = 30

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._starttls_required = parse_qs(self._url.query).get("starttls") == ["required"]
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            try:
                self._connection.quit()
            except (OSError, smtplib.SMTPException):
                self._connection.close()
            self._connection = None

    def send(self, message: EmailMessage, address: str) -> Outcome:
        """Send one message; 5xx is final, everything else is worth another try."""
        try:
            self._connected().send_message(message, to_addrs=[address])
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            return _by_code(code, text)
        except smtplib.SMTPAuthenticationError as error:
            # The account is wrong, not the message: it must survive until somebody mends SMTP_URL.
            self._lost()
            return RetryLater(f"SMTP login refused: {_text(error.smtp_error)}", channel_down=True)
        except smtplib.SMTPResponseException as error:
            if error.smtp_code in (-1, 421):  # the server closes the connection
                self._lost()
            return _by_code(error.smtp_code, error.smtp_error)
        except (smtplib.SMTPNotSupportedError, UnicodeEncodeError, ValueError) as error:
            return Rejected(f"cannot be sent as it is: {error}")
        except (OSError, smtplib.SMTPException) as error:
            # A connection that never came about is the server's fault, one lost midway may be the message's.
            down = self._connection is None
            self._lost()
            return RetryLater(f"{type(error).__name__}: {error}", channel_down=down)
        return Sent()

    def _connected(self) -> smtplib.SMTP:
        if self._connection is None:
            host = self._url.hostname or "localhost"
            connection: smtplib.SMTP
            if self._url.scheme == "smtps":
                connection = smtplib.SMTP_SSL(
                    host, self._url.port or 465, timeout=self._TIMEOUT_SECONDS, context=ssl.create_default_context()
                )
            else:
                connection = smtplib.SMTP(host, self._url.port or 25, timeout=self._TIMEOUT_SECONDS)
                connection.ehlo()
                if connection.has_extn("starttls"):
                    connection.starttls(context=ssl.create_default_context())
                    connection.ehlo()
                elif self._starttls_required:
                    connection.close()
                    raise smtplib.SMTPException(f"{host} offers no STARTTLS, and SMTP_URL requires it")
            if self._url.username:
                connection.login(unquote(self._url.username), unquote(self._url.password or ""))
            self._connection = connection
        return self._connection

    def _lost(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _by_code(code: int, text: bytes | str) -> Outcome:
    message = f"{code} {_text(text)}"
    return Rejected(message) if code // 100 == _PERMANENT else RetryLater(message)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
