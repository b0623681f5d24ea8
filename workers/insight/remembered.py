"""Remember what a pure function said of a word; most words of a mail stood in the mails before."""

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["Remembered"]

_Value = TypeVar("_Value")
_MOST: Final = 32_768
_LONGEST: Final = 40  # characters; what is longer is seldom seen twice


class Remembered(dict[str, _Value]):
    """A dictionary that asks a function for what it does not hold, and forgets everything once it is full.

    A look-up costs half of what functools.lru_cache asks for one, which notes each use.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[str], _Value]) -> None:
        """Remember what `function` says of words."""
        super().__init__()
        self._function = function

    def __missing__(self, word: str) -> _Value:
        value = self._function(word)
        if len(word) > _LONGEST:
            return value
        if len(self) >= _MOST:
            self.clear()
        self[word] = value
        return value
