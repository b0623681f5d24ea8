"""OAuth 2.0 for mail servers that take no passwords (RFC 6749): tokens, kept until they end, and how they are shown."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import httpx

from workers import clock
from workers.settings import Settings, usable_home

_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_SPARE: Final = timedelta(minutes=1)  # so much before its end a token is not used any more
_SHORTEST: Final = timedelta(minutes=5)  # how long a token lasts of which the server does not say it


class TokenError(OSError):
    """There is no token: the fault of the account, never of a message. The message says what to check."""


@dataclass(frozen=True, slots=True)
class Grant:
    """By what a token is to be had: a refresh token that a person gave once, else the client's own credentials.

    Attributes:
        server: whose settings these are.
        token_url: where tokens are asked for.
        client_id: as the provider registered the fleet.
        client_secret: likewise; a public client has none.
        scope: what the token is for; None: what the provider takes for granted.
        refresh_token: None: client credentials.
    """

    server: Literal["SMTP", "IMAP"]
    token_url: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scope: str | None = None
    refresh_token: str | None = field(default=None, repr=False)


class TokenSource:
    """The token of one grant: asked for when it is first needed, and again when it is about to end."""

    def __init__(self, grant: Grant) -> None:
        """Take the grant; nothing is asked yet."""
        self._grant = grant
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends_at: datetime | None = None

    def token(self) -> str:
        """Return a token that lasts for a minute at least.

        Raises:
            TokenError: the provider gives none.
        """
        with self._lock:
            if self._token is None or self._ends_at is None or self._ends_at - _SPARE <= clock.now():
                self._token, self._ends_at = self._asked()
            return self._token

    def forget(self) -> None:
        """Ask anew next time: the mail server refused this one, although it should last."""
        with self._lock:
            self._token = None

    def _asked(self) -> tuple[str, datetime]:
        grant = self._grant
        form = {"grant_type": "client_credentials", "client_id": grant.client_id}
        if grant.client_secret:
            form["client_secret"] = grant.client_secret
        if grant.scope:
            form["scope"] = grant.scope
        if grant.refresh_token is None:
            answer = self._post(form)
        else:
            with _latest(grant.refresh_token) as kept:
                form |= {"grant_type": "refresh_token", "refresh_token": kept.read_text() or grant.refresh_token}
                answer = self._post(form)
                # A provider may hand out another one each time, and let the one before end.
                if isinstance(answer.get("refresh_token"), str):
                    _replace(kept, answer["refresh_token"])
        try:
            lasts = timedelta(seconds=int(answer["expires_in"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            lasts = _SHORTEST
        return answer["access_token"], clock.now() + lasts

    def _post(self, form: Mapping[str, str]) -> dict[str, Any]:
        name = f"{self._grant.server}_OAUTH_TOKEN_URL"
        try:
            response = httpx.post(self._grant.token_url, data=form, timeout=_TIMEOUT)
            answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TokenError(f"{name} cannot be reached: {str(error) or type(error).__name__}") from None
        except ValueError:
            raise TokenError(f"{name} answered {response.status_code} and no JSON") from None
        if not isinstance(answer, dict) or not response.is_success or not isinstance(answer.get("access_token"), str):
            said = answer if isinstance(answer, dict) else {}
            words = " ".join(f"{said.get('error') or ''} {said.get('error_description') or ''}".split())[:300]
            raise TokenError(f"{name} gives no token ({response.status_code}): {words or 'it does not say why'}")
        return answer


def smtp_tokens(settings: Settings) -> TokenSource | None:
    """Return what SMTP_OAUTH_… gives tokens by; None if it is not set."""
    return _source(settings, "SMTP")


def imap_tokens(settings: Settings) -> TokenSource | None:
    """Return what IMAP_OAUTH_… gives tokens by; None if it is not set."""
    return _source(settings, "IMAP")


def xoauth2(user: str, token: str) -> str:
    """Return what a client says in the SASL mechanism XOAUTH2, before it is encoded."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def _source(settings: Settings, server: Literal["SMTP", "IMAP"]) -> TokenSource | None:
    def value(name: str) -> Any:
        found = getattr(settings, f"{server.lower()}_oauth_{name}")
        return found.get_secret_value() if hasattr(found, "get_secret_value") else found

    if value("token_url") is None:
        return None
    names = ("token_url", "client_id", "client_secret", "scope", "refresh_token")
    return _kept_source(Grant(server, **{name: value(name) for name in names}))


@cache
def _kept_source(grant: Grant) -> TokenSource:
    """One for each grant in a process: a pass goes on with the token of the one before."""
    return TokenSource(grant)


@contextmanager
def _latest(given: str) -> Iterator[Path]:
    """Hold the file with the refresh token that followed the given one; empty where none did.

    The processes of a machine ask one after another: where a refresh token is good for one use, two at once would end
    both.
    """
    name = hashlib.sha256(given.encode()).hexdigest()[:16]
    file = usable_home() / f"refresh-{name}.token"
    with (usable_home() / f"refresh-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file.touch()
        yield file


def _replace(file: Path, text: str) -> None:
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(text)
    draft.rename(file)
