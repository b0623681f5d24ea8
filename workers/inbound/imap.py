"""IMAP polling: what is new in a folder since the last visit. It never marks, moves or deletes anything."""

import hashlib
import imaplib
import logging
import re
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from workers.db.session import Connection, transaction
from workers.deadline import Deadline, Watched
from workers.inbound.ingest import Outcome, ingest_batch, set_aside
from workers.inbound.parse import SetAside, too_large
from workers.oauth import TokenSource, xoauth2
from workers.urls import starttls

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS: Final = 30
_GROUP_MESSAGES: Final = 50
_GROUP_BYTES: Final = 10 * 1024 * 1024
_UID: Final = re.compile(rb"\bUID (\d+)")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d+)")


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder as messages are named after it, how its UIDs are counted, and the account it is in."""

    source: str
    validity: int
    account: str


class ImapError(Exception):
    """The server cannot be used now; the message names the folder and the server's words."""


def poll(connection: Connection, url: str, tokens: TokenSource | None = None, *, budget_seconds: float) -> Counter[str]:
    """Take in what is new in one folder; what the budget leaves is the next visit's.

    The position moves on after each group of messages, whatever became of them. A crash in between repeats that group,
    and a folder whose UIDVALIDITY changed is read from its start: both are harmless, because a message that came before
    changes nothing.

    Args:
        connection: outside any transaction.
        url: imaps://user:password@host:993/FOLDER, or imap:// with STARTTLS (?starttls=off on this machine).
        tokens: what gives a token where the URL names no password.
        budget_seconds: no message is begun after that time; half a minute later the connection is cut.

    Returns:
        How many messages were stored, were duplicates, were set aside.

    Raises:
        ImapError: the server does not answer, or not as it should.
    """
    end = time.monotonic() + budget_seconds
    done: Counter[str] = Counter()
    place = urlsplit(url)
    name = f"{unquote(place.username or '')}@{place.hostname}/{_folder(place)}"
    try:
        with _open(place, None if place.password else tokens, budget_seconds + _TIMEOUT_SECONDS) as server:
            validity = _select(server, _folder(place))
            with transaction(connection):
                row = connection.execute("SELECT imap_position(%s, %s) AS uid", [name, validity]).fetchone()
            position = row["uid"] if row else 0
            here = _Place(f"imap://{name}", validity, unquote(place.username or ""))
            for group in _groups(_new_messages(server, position)):
                if time.monotonic() > end:
                    break
                outcomes, position = _take(connection, server, here, group, end)
                done.update(type(outcome).__name__.lower() for outcome in outcomes)
                with transaction(connection):
                    connection.execute("SELECT advance_imap_position(%s, %s, %s)", [name, validity, position])
            with transaction(connection):
                connection.execute("SELECT advance_imap_position(%s, %s, %s)", [name, validity, position])
    except (OSError, imaplib.IMAP4.error, ValueError) as error:
        raise ImapError(f"{name}: {str(error) or type(error).__name__}") from error
    return done


class _Dialogue(Watched, imaplib.IMAP4):
    """Begins in the clear."""


class _EncryptedDialogue(Watched, imaplib.IMAP4_SSL):
    """Is encrypted from the start."""


class _RefusedTokenError(imaplib.IMAP4.error):
    """The server does not take the token."""


@contextmanager
def _open(place: SplitResult, tokens: TokenSource | None, seconds: float) -> Iterator[imaplib.IMAP4]:
    with Deadline() as deadline:
        deadline.restart(seconds)
        try:
            server = _logged_in(place, tokens, deadline)
        except _RefusedTokenError:
            assert tokens is not None  # noqa: S101  # nothing else is refused so
            tokens.forget()  # it may have been taken back: once, another one is shown
            server = _logged_in(place, tokens, deadline)
        try:
            yield server
        finally:
            _leave(server)


def _logged_in(place: SplitResult, tokens: TokenSource | None, deadline: Deadline) -> imaplib.IMAP4:
    host = place.hostname or "localhost"
    server: imaplib.IMAP4
    if place.scheme == "imaps":
        context = ssl.create_default_context()
        server = _EncryptedDialogue(deadline, host, place.port or 993, ssl_context=context, timeout=_TIMEOUT_SECONDS)
    else:
        server = _Dialogue(deadline, host, place.port or 143, timeout=_TIMEOUT_SECONDS)
    try:
        if place.scheme == "imap" and starttls(place) != "off":
            _secure(server)
        user = unquote(place.username or "")
        if tokens is not None:
            _show(server, xoauth2(user, tokens.token()).encode())
        else:
            server.login(user, unquote(place.password or ""))
    except BaseException:
        _leave(server)
        raise
    return server


def _show(server: imaplib.IMAP4, said: bytes) -> None:
    """Log in with a token; asked for more, the server has refused it, and waits for an empty line."""
    try:
        server.authenticate("XOAUTH2", lambda challenge: b"" if challenge else said)
    except imaplib.IMAP4.error as error:
        raise _RefusedTokenError(f"the token is refused: {error}") from error


def _leave(server: imaplib.IMAP4) -> None:
    with suppress(OSError, imaplib.IMAP4.error):
        server.logout()


def _secure(server: imaplib.IMAP4) -> None:
    if "STARTTLS" not in server.capabilities:
        raise imaplib.IMAP4.error("it offers no STARTTLS, and a password is not sent in the clear")
    server.starttls(ssl.create_default_context())


def _folder(place: SplitResult) -> str:
    return unquote(place.path.strip("/")) or "INBOX"


def _select(server: imaplib.IMAP4, folder: str) -> int:
    """Open a folder for reading only and return its UIDVALIDITY."""
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    status, answer = server.select(f'"{quoted}"', readonly=True)
    if status != "OK":
        raise imaplib.IMAP4.error(f"no folder {folder}: {_words(answer)}")
    _, validity = server.response("UIDVALIDITY")
    if not validity or validity[0] is None:
        raise imaplib.IMAP4.error("the server names no UIDVALIDITY")
    return int(validity[0])


def _new_messages(server: imaplib.IMAP4, position: int) -> list[tuple[int, int]]:
    """(UID, size) of what came after a position, in order."""
    status, answer = server.uid("FETCH", f"{position + 1}:*", "(UID RFC822.SIZE)")
    if status != "OK":
        raise imaplib.IMAP4.error(f"cannot list the folder: {_words(answer)}")
    found = {}
    for line in answer:
        uid, size = (pattern.search(line) if isinstance(line, bytes) else None for pattern in (_UID, _SIZE))
        # "n:*" names the last message even if n is behind it.
        if uid and size and int(uid[1]) > position:
            found[int(uid[1])] = int(size[1])
    return sorted(found.items())


def _groups(messages: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    group: list[tuple[int, int]] = []
    size = 0
    for uid, length in messages:
        if group and (len(group) >= _GROUP_MESSAGES or size + length > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append((uid, length))
        size += length
    if group:
        yield group


def _take(
    connection: Connection, server: imaplib.IMAP4, place: _Place, group: list[tuple[int, int]], deadline: float
) -> tuple[list[Outcome], int]:
    """Fetch a group and take it in until the deadline; what is too large is set aside by its size alone.

    Returns:
        What became of the messages, and the UID of the last one.
    """
    wanted = [uid for uid, size in group if not too_large(size)]
    fetched = _fetch(server, wanted) if wanted else []
    messages = [(f"{place.source};UID={uid}", raw) for uid, raw in fetched]
    outcomes = ingest_batch(connection, messages, mailbox=place.account, deadline=deadline) if messages else []
    last = group[-1][0] if len(outcomes) == len(messages) else fetched[len(outcomes) - 1][0]
    for uid, size in group:
        if uid <= last and (reason := too_large(size)):
            # Nobody has read it: it is known by where it lies.
            fingerprint = hashlib.sha256(f"{place.source};{place.validity};{uid}".encode()).hexdigest()
            unread = SetAside(reason, fingerprint, None, size)
            with transaction(connection):
                outcomes.append(set_aside(connection, f"{place.source};UID={uid}", unread))
    return outcomes, last


def _fetch(server: imaplib.IMAP4, uids: list[int]) -> list[tuple[int, bytes]]:
    """The raw messages of UIDs in their order, however the server sorts; one deleted meanwhile is not among them."""
    status, answer = server.uid("FETCH", ",".join(map(str, uids)), "(UID BODY.PEEK[])")
    if status != "OK":
        raise imaplib.IMAP4.error(f"cannot fetch: {_words(answer)}")
    fetched = []
    for position, item in enumerate(answer):
        if isinstance(item, tuple):
            after = answer[position + 1] if position + 1 < len(answer) else b""
            # A server may name the UID before the message or behind it.
            uid = _UID.search(item[0]) or (_UID.search(after) if isinstance(after, bytes) else None)
            if uid:
                fetched.append((int(uid[1]), item[1]))
    return sorted(fetched)


def _words(answer: list[Any]) -> str:  # bytes, tuples or None, as imaplib reads them
    return " ".join(item.decode("utf-8", "replace") for item in answer if isinstance(item, bytes))
