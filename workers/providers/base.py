"""What a provider is to the engine: it is asked in batches, and answers with values, never with exceptions."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

_LONGEST: Final = 300  # nothing about a person that fits a contact's field is longer


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of the person asked about; None for what is not."""

    email: str | None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The provider knows the person; `data` has the contact's fields, and whatever else is worth keeping."""

    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """The provider does not know the person: an answer, not an error."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing is wrong with the request, but there was no answer; `retry_at` only if the provider said when."""

    reason: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never answer this request."""

    reason: str


Outcome = Found | NoMatch | Unavailable | Refused


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of one of the provider's fixed windows, and when it has ended for certain."""

    name: Literal["minute", "hour", "day"]
    calls_left: int
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One outcome per request, in their order; the credits they cost; the windows as last seen."""

    outcomes: Sequence[Outcome]
    credits: int
    windows: Sequence[Window] = ()


class Provider(Protocol):
    """A provider that is switched on."""

    @property
    def batch_size(self) -> int:
        """Most requests of one look-up."""

    @property
    def daily_credits(self) -> int | None:
        """Most credits a tenant may spend in a day (UTC); None for no limit."""

    def lookup(self, requests: Sequence[Request]) -> Answer:
        """Ask about at most `batch_size` people, for a minute or two at most.

        Never raises for what the other side does.
        """


@dataclass(frozen=True, slots=True)
class Off:
    """A provider that is switched off, and why."""

    reason: str


def cleaned(value: object) -> str | None:
    """Return a provider's text fit to be stored: one line without control characters; None if nothing is left."""
    if not isinstance(value, str):
        return None
    line = " ".join(value.split())
    # Cc: control characters, Cs: halves of characters. PostgreSQL stores neither NUL nor the latter.
    return "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))[:_LONGEST].strip() or None
