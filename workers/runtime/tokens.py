"""Tokens: what nobody can guess, shown once; the database keeps a hash of each."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Final

# By which a token of the API is told from a user's, and found by whoever searches for secrets that got out.
_PREFIX: Final = "fleet_"


def new_token() -> str:
    """Return what nobody can guess."""
    return secrets.token_urlsafe(32)


def new_api_token() -> str:
    """Return a token that a program shows to the API."""
    return _PREFIX + new_token()


def api_token_of(secret: str, occasion: str) -> str:
    """Return the token that a program shows to the API which an occasion gives: the same one each time.

    Args:
        secret: what nobody else knows; whoever does can make the token again.
        occasion: what nobody has used with this secret before.
    """
    digest = hmac.digest(secret.encode(), occasion.encode(), "sha256")
    return _PREFIX + urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_token(text: str) -> bool:
    """Say whether a text looks like a token of `new_api_token`."""
    return text.startswith(_PREFIX)


def token_hash(token: str) -> bytes:
    """Return what the database keeps of a token: who reads it there cannot use it."""
    return hashlib.sha256(token.encode()).digest()
