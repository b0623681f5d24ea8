"""What ties an answer to the message it answers: marks on what we send that nobody else can make.

There are three of them, because each is lost on some way back: the Message-ID, an address to reply to, and a short
reference that survives where only the text is quoted. A fourth is in the link by which a reader gets no more of them.
Each is signed, with FLEET_REPLY_SECRET or else with a secret that the fleet keeps under FLEET_HOME.
"""

import hashlib
import hmac
import os
import re
import tempfile
from base64 import b32decode, b32encode
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from workers.settings import settings, usable_home

_MESSAGE_ID: Final = re.compile(r"action\.(\d{1,18})\.([a-z0-9]{16}(?:[a-f0-9]{16})?)@", re.IGNORECASE)
# Between the two a mail program may put spaces, a page's tags or the stars of bold letters.
_REFERENCE: Final = re.compile(
    r"\bref\s?[:\uff1a](?:\s|&nbsp;|\*|<[^<>]{1,200}>){0,6}([a-z2-7]{20})(?![a-z2-7])", re.IGNORECASE
)
_REPLY_ADDRESS: Final = re.compile(r"reply\+([a-z2-7]{55})@[^@\s]+", re.IGNORECASE)
_OPT_OUT: Final = re.compile(r"[a-z2-7]{29}", re.IGNORECASE)
# The local part of an address has 64 characters: "reply+" and the base32 of 8 + 16 + 10 bytes have 61.
_ACTION_BYTES: Final = 8
_TENANT_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 10
# A reference is to be short: six bytes number more messages than there will be, and six more cannot be guessed by mail.
_REFERENCE_BYTES: Final = 6
_MOST_READ: Final = 100
_SECRET_FILE: Final = "reply.secret"  # noqa: S105  # where it is, not what


class Answered(NamedTuple):
    """A message of ours: its action, and the tenant it was sent for."""

    action: int
    tenant: UUID


class Named(NamedTuple):
    """A Message-ID of ours that a mail names.

    Attributes:
        action: The number of the action.
        name: What stands before its @.
        genuine: Whether we signed it. If not it may be an earlier release's, which did not sign, or another machine's
            with another secret: it counts only if the message was sent under that very name.
    """

    action: int
    name: str
    genuine: bool


def message_id(sent: Answered, domain: str) -> str:
    """Return the Message-ID of an action's e-mail: the same however often it is sent, signed, and short for one line.

    Raises:
        ConfigurationError: there is no FLEET_REPLY_SECRET, and none can be kept under FLEET_HOME.
    """
    return f"<action.{sent.action}.{_proof(sent.action, _secret())}@{domain}>"


def read_message_ids(text: str) -> list[Named]:
    """Return the Message-IDs of our own making in a text, in their order, each once, at most 100.

    They are found with and without angle brackets, and folded in their middle.
    """
    found: dict[Named, None] = {}
    for match in islice(_MESSAGE_ID.finditer("".join(text.split())), _MOST_READ):
        action = int(match[1])
        genuine = any(_is_same(_proof(action, secret), match[2]) for secret in _secrets())
        found[Named(action, match[0].removesuffix("@").lower(), genuine)] = None
    return list(found)


def reference(action: int) -> str:
    """Return the reference for the text of an action's e-mail, 20 letters and digits.

    Raises:
        ConfigurationError: as for `message_id`.
    """
    return _reference(action.to_bytes(_REFERENCE_BYTES), _secret())


def read_references(text: str) -> list[int]:
    """Return the actions named by genuine references ("Ref: …") in a text, in their order, at most 100."""
    found: dict[int, None] = {}
    for match in islice(_REFERENCE.finditer(text), _MOST_READ):
        named = _decoded(match[1])[:_REFERENCE_BYTES]
        if any(_is_same(_reference(named, secret), match[1]) for secret in _secrets()):
            found[int.from_bytes(named)] = None
    return list(found)


def without_references(text: str) -> str:
    """Return a text without our references: nobody wrote them."""
    return _REFERENCE.sub("", text).strip()


def reply_address(sent: Answered, domain: str, secret: str) -> str:
    """Return the address to which answers to an action's e-mail go.

    It is signed, so that nobody can make one for another action; letters are lower-case and case means
    nothing, because mail servers change it.
    """
    return f"reply+{_token(sent, secret)}@{domain}"


def read_reply_address(address: str, secret: str) -> Answered | None:
    """Return what a reply address was made for; None if it is none, forged or altered in any character."""
    match = _REPLY_ADDRESS.fullmatch(address)
    if match is None:
        return None
    signed = _decoded(match[1])
    sent = Answered(
        int.from_bytes(signed[:_ACTION_BYTES]), UUID(bytes=signed[_ACTION_BYTES : _ACTION_BYTES + _TENANT_BYTES])
    )
    return sent if sent.action < 1 << 63 and _is_same(_token(sent, secret), match[1]) else None


def opt_out_token(action: int) -> str:
    """Return what proves that somebody got an action's e-mail and may end it: 29 letters and digits for a link.

    Raises:
        ConfigurationError: as for `message_id`.
    """
    return _opt_out(action.to_bytes(_ACTION_BYTES), _secret())


def read_opt_out_token(token: str) -> int | None:
    """Return the action that a token was made for; None if it is none, forged or altered in any character."""
    if _OPT_OUT.fullmatch(token) is None:
        return None
    named = _decoded(token)[:_ACTION_BYTES]
    genuine = any(_is_same(_opt_out(named, secret), token) for secret in _secrets())
    action = int.from_bytes(named)
    return action if genuine and action < 1 << 63 else None


def is_reply_address(address: str) -> bool:
    """Whether an address looks like one of `reply_address`, whoever made it."""
    return _REPLY_ADDRESS.fullmatch(address) is not None


def _proof(action: int, secret: str) -> str:
    return _encoded(_signature(b"message id", action.to_bytes(_ACTION_BYTES), secret)[:_SIGNATURE_BYTES])


def _token(sent: Answered, secret: str) -> str:
    named = sent.action.to_bytes(_ACTION_BYTES) + sent.tenant.bytes
    return _encoded(named + _signature(b"reply address", named, secret)[:_SIGNATURE_BYTES])


def _reference(named: bytes, secret: str) -> str:
    return _encoded(named + _signature(b"reference", named, secret)[:_REFERENCE_BYTES])


def _opt_out(named: bytes, secret: str) -> str:
    return _encoded(named + _signature(b"opt out", named, secret)[:_SIGNATURE_BYTES])


def _signature(purpose: bytes, named: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), purpose + b"\0" + named, hashlib.sha256)


def _encoded(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()


def _decoded(token: str) -> bytes:
    return b32decode(token.upper() + "=" * (-len(token) % 8))


def _is_same(ours: str, theirs: str) -> bool:
    # Compared as text: base32's last letter has spare bits, and a token has one spelling only.
    return hmac.compare_digest(ours, theirs.lower())


def _secret() -> str:
    """What new marks are signed with; made on first use."""
    if secret := settings().fleet_reply_secret:
        return secret
    home = settings().fleet_home
    try:
        return _kept_secret(home)
    except FileNotFoundError:
        _make_secret(usable_home() / _SECRET_FILE)
        return _kept_secret(home)


def _secrets() -> Iterator[str]:
    """What a genuine mark may be signed with. Whoever only reads mail makes no secret."""
    if secret := settings().fleet_reply_secret:
        yield secret
    try:
        kept = _kept_secret(settings().fleet_home)
    except OSError:  # none was made, or it is not for this user to read
        return
    yield kept


@cache
def _kept_secret(home: Path) -> str:
    return (home / _SECRET_FILE).read_text()


def _make_secret(path: Path) -> None:
    """Make a secret that the owner alone can read, whole or not at all; of two processes the first one's stays."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file, suppress(FileExistsError):
        file.write(os.urandom(32).hex())
        file.flush()
        os.link(file.name, path)
