"""The channel of a simulation: it takes every message, carries none, and lets some be answered."""

from collections.abc import Callable
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from workers.delivery.channels import Outcome, Sent
from workers.delivery.message import Letter


class NullChannel:
    """Takes every message and tells somebody of its headers."""

    def __init__(self, taken: Callable[[EmailMessage], None]) -> None:
        self._taken = taken

    def __enter__(self) -> Self:
        """There is nothing to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def another(self) -> Self:
        """Return one that tells the same."""
        return type(self)(self._taken)

    def send(self, letter: Letter) -> Outcome:
        """Take one message."""
        self._taken(letter.headers())
        return Sent()
