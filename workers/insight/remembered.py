"""Remember what a pure function said of a word; most words of a mail stood in the mails before."""

from collections.abc import Callable, Hashable
from typing import TypeVar

__all__ = ["Remembered"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Remembered(dict[_Key, _Value]):
    """A dictionary that asks a function for what it does not hold, and forgets everything once it is full.

    A look-up costs half of what functools.lru_cache asks for one, which notes each use.
    """

    __slots__ = ("_function", "_most")

    def __init__(self, function: Callable[[_Key], _Value], most: int) -> None:
        """Remember what `function` says of up to `most` keys."""
        super().__init__()
        self._function = function
        self._most = most

    def __missing__(self, key: _Key) -> _Value:
        value = self._function(key)
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
