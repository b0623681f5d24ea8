"""What ties an answer to the message it answers: a stable Message-ID, and a signed address to reply to."""

import hashlib
import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

_MESSAGE_ID: Final = re.compile(r"<?action\.(\d{1,18})\.([0-9a-f]{32})@[^<>\s]+>?", re.IGNORECASE)
_REPLY_ADDRESS: Final = re.compile(r"reply\+([a-z2-7]{55})@[^@\s]+", re.IGNORECASE)
# The local part of an address has 64 characters: "reply+" and the base32 of 8 + 16 + 10 bytes have 61.
_ACTION_BYTES: Final = 8
_TENANT_BYTES: Final = 16
_SIGNATURE_BYTES: Final = 10


class Answered(NamedTuple):
    """A message of ours: its action, and the tenant it was sent for."""

    action: int
    tenant: UUID


def message_id(sent: Answered, domain: str) -> str:
    """Return the Message-ID of an action's e-mail: the same however often it is sent."""
    return f"<action.{sent.action}.{sent.tenant.hex}@{domain}>"


def read_message_ids(message_ids: Iterable[str]) -> list[Answered]:
    """Return what the Message-IDs of our own making among these name, in their order.

    Nothing proves them: who asks has to look whether that tenant has such an action.
    """
    matches = (_MESSAGE_ID.fullmatch(text) for text in message_ids)
    return [Answered(int(match[1]), UUID(hex=match[2])) for match in matches if match]


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
    token = match[1].lower()
    signed = b32decode(token.upper() + "=")
    sent = Answered(
        int.from_bytes(signed[:_ACTION_BYTES]), UUID(bytes=signed[_ACTION_BYTES : _ACTION_BYTES + _TENANT_BYTES])
    )
    # Compared as text: base32's last letter has spare bits, and a token has one spelling only.
    return sent if sent.action < 1 << 63 and hmac.compare_digest(_token(sent, secret), token) else None


def _token(sent: Answered, secret: str) -> str:
    named = sent.action.to_bytes(_ACTION_BYTES) + sent.tenant.bytes
    signature = hmac.digest(secret.encode(), b"reply address\0" + named, hashlib.sha256)[:_SIGNATURE_BYTES]
    return b32encode(named + signature).decode().rstrip("=").lower()
