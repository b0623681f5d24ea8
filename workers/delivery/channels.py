"""Channels carry one message out and say what became of it; outcomes are values, exceptions are bugs."""

import os
import smtplib
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import unquote, urlsplit

from workers.deadline import Deadline, Watched
from workers.delivery.message import Letter
from workers.delivery.pipelining import send_letter
from workers.insight.failures import Command, Fault, read_codes, whose_fault
from workers.oauth import TokenSource, xoauth2
from workers.urls import starttls

_PERMANENT: Final = 5  # the first digit of an SMTP reply that will never change (RFC 5321, 4.2.1)
_CLOSING: Final = 421  # the reply after which the server closes the connection


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took the message."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Nothing is known to be wrong with the message; the receiver, or the way to it, is not ready."""

    error: str
    channel_down: bool = False  # no other message would fare better now: leave the rest unclaimed
    fault: Fault | None = None  # what the server said of this message, if it said anything


@dataclass(frozen=True, slots=True)
class Rejected:
    """The receiver will never take this message: its address is dead, or it is refused itself."""

    error: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The message is refused for a reason of the sender's (quota, blocklist, not permitted to send as …).

    It is as good as before, and no other one of the same sender would fare better now.
    """

    error: str


Outcome = Sent | RetryLater | Rejected | Blocked


class Channel(Protocol):
    """A way out for e-mail, opened for a batch of messages."""

    def __enter__(self) -> Self:
        """Open the channel; a receiver that is away shows in the outcome of each message."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def another(self) -> Self:
        """Return one more way out of the same kind, not yet opened: each thread has its own."""

    def send(self, letter: Letter) -> Outcome:
        """Send one message."""


class MaildirChannel:
    """Writes each message as an .eml file into a Maildir: the default, which reaches no real person."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # customers' names and addresses are nobody else's business
        for name in ("tmp", "new", "cur"):
            (self._folder / name).mkdir(exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def another(self) -> Self:
        """Return one for the same folder."""
        return type(self)(self._folder)

    def send(self, letter: Letter) -> Outcome:
        """Write the message; its file is named after its Message-ID, so a repeated send is the same file.

        The ID's left half is unique by itself, and safe in a file name, which a tenant's own domain may not be.
        """
        name = letter.message_id.strip("<>").partition("@")[0].replace("/", "_") + ".eml"
        draft = self._folder / "tmp" / f"{os.getpid()}-{name}"
        try:
            with draft.open("wb") as file:
                file.write(letter.raw.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / "new" / name)
        except OSError as error:
            return RetryLater(f"cannot write to {self._folder}: {error.strerror}", channel_down=True)
        return Sent()


class _Dialogue(Watched, smtplib.SMTP):
    """Begins in the clear."""


class _EncryptedDialogue(Watched, smtplib.SMTP_SSL):
    """Is encrypted from the start."""


class SmtpChannel:
    """Sends over SMTP; one connection serves a batch and is opened again when it is lost.

    The URL: smtps://user:password@host:465, or smtp://host:587, where `urls.starttls` says what becomes of TLS.
    """

    _TIMEOUT_SECONDS = 30  # for each answer
    _DEADLINE_SECONDS = 90  # for a message, from opening the connection to the last answer

    def __init__(self, url: str, tokens: TokenSource | None = None) -> None:
        """Take the URL, and what gives a token where it names a user without a password."""
        self._url = urlsplit(url)
        self._given = url, tokens
        self._tokens = tokens if self._url.username and not self._url.password else None
        self._place = f"{self._url.scheme}://{self._url.hostname or 'localhost'}:{self._url.port or ''}".rstrip(":")
        self._starttls = starttls(self._url)
        self._connection: smtplib.SMTP | None = None
        self._taken = False  # whether it has carried a message
        self._deadline = Deadline()

    def __enter__(self) -> Self:
        self._deadline.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._deadline.restart(self._TIMEOUT_SECONDS)
            try:
                self._connection.quit()
            except (OSError, smtplib.SMTPException):
                self._connection.close()
            self._connection = None
        self._deadline.__exit__(kind, error, trace)

    def another(self) -> Self:
        """Return one more connection to the same server."""
        return type(self)(*self._given)

    def send(self, letter: Letter) -> Outcome:
        """Send one message; whose fault a refusal is decides what becomes of it, see `whose_fault`."""
        self._deadline.restart(self._DEADLINE_SECONDS)
        try:
            connection = self._connected()
        except smtplib.SMTPAuthenticationError as error:
            # The account is wrong, not the message: it must survive until somebody mends SMTP_URL.
            return RetryLater(f"SMTP login refused: {_text(error.smtp_error)}", channel_down=True)
        except smtplib.SMTPResponseException as error:
            answer = f"{error.smtp_code} {_text(error.smtp_error)}"
            return RetryLater(f"{self._place} answers {answer}", channel_down=True)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # Whatever keeps the connection from coming about, even a 5xx greeting, says nothing of the message.
            return RetryLater(f"cannot use {self._place}: {error}", channel_down=True)
        try:
            return self._hand_over(connection, letter)
        except BaseException:  # the dialogue broke off somewhere: the next message needs a new one
            self._lost()
            raise

    def _hand_over(self, connection: smtplib.SMTP, letter: Letter) -> Outcome:
        try:
            send_letter(connection, letter)
        except smtplib.SMTPRecipientsRefused as refused:
            code, text = next(iter(refused.recipients.values()))
            return self._refused(code, text, "RCPT")
        except smtplib.SMTPSenderRefused as error:
            return self._refused(error.smtp_code, error.smtp_error, "MAIL")
        except smtplib.SMTPResponseException as error:
            return self._refused(error.smtp_code, error.smtp_error, "DATA")
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            return Rejected(f"cannot be sent as it is: {error}")
        except (OSError, smtplib.SMTPException) as error:
            # Lost midway: it may have been the message's doing, so the channel counts as up.
            self._lost()
            return RetryLater(f"{type(error).__name__}: {error}")
        self._taken = True
        return Sent()

    def _refused(self, code: int, text: bytes | str, command: Command) -> Outcome:
        message = f"{code} {_text(text)}"
        fault = whose_fault(code, read_codes(message)[1], _text(text), command=command)
        if code in (-1, _CLOSING):
            # A connection may carry so many messages and no more. One that carries none is not worth opening again.
            down = code == _CLOSING and not self._taken
            self._lost()
            return RetryLater(message, channel_down=down, fault=fault)
        if fault.whose == "sender":
            return Blocked(message)
        if fault.whose == "moment" or code // 100 != _PERMANENT:
            return RetryLater(message, fault=fault)
        return Rejected(message, fault)

    def _connected(self) -> smtplib.SMTP:
        if self._connection is None:
            try:
                self._connection = self._logged_in()
            except smtplib.SMTPAuthenticationError:
                if self._tokens is None:
                    raise
                self._tokens.forget()  # it may have been taken back: once, another one is shown
                self._connection = self._logged_in()
            self._taken = False
        return self._connection

    def _logged_in(self) -> smtplib.SMTP:
        connection = self._open()
        try:
            self._secure(connection)
            user = unquote(self._url.username or "")
            if self._tokens is not None:
                said = xoauth2(user, self._tokens.token())
                connection.ehlo_or_helo_if_needed()
                # Asked for more, the server has refused it, and waits for an empty line.
                connection.auth("XOAUTH2", lambda challenge=None: said if challenge is None else "")
            elif user:
                connection.login(user, unquote(self._url.password or ""))
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self) -> smtplib.SMTP:
        host = self._url.hostname or "localhost"
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            return _EncryptedDialogue(
                self._deadline, host, self._url.port or 465, timeout=self._TIMEOUT_SECONDS, context=context
            )
        return _Dialogue(self._deadline, host, self._url.port or 25, timeout=self._TIMEOUT_SECONDS)

    def _secure(self, connection: smtplib.SMTP) -> None:
        if self._url.scheme == "smtps" or self._starttls == "off":
            return
        connection.ehlo_or_helo_if_needed()
        if connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
        elif self._starttls == "required":
            raise smtplib.SMTPException("it offers no STARTTLS, and SMTP_URL requires it (a password does, too)")

    def _lost(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
