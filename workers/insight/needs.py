"""Which of many patterns may match a sentence at all, told by the letters inside its words."""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

from workers.insight.remembered import Remembered

__all__ = ["Needs"]

_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_LONGEST_WORD: Final = 40


class Needs:
    """What each of several patterns cannot match without.

    What a word meets is one number: a bit for every pattern to try, by its place, and above them one for every need.
    """

    def __init__(self, needs: Sequence[Sequence[str]]) -> None:
        """Take the needs of each pattern, the rarest first: letters with spaces between them.

        Of those of one need, some have to stand in a word; "^" and "$" are where it begins and ends.
        """
        bits: dict[str, int] = {}
        needed: list[int] = []
        wakes: defaultdict[str, int] = defaultdict(int)
        self._always = 0  # the patterns without needs
        for place, listed in enumerate(needs):
            needed.append(reduce(or_, (bits.setdefault(need, 1 << len(needs) + len(bits)) for need in listed), 0))
            if listed:
                wakes[listed[0]] |= 1 << place
            else:
                self._always |= 1 << place
        self._letters: defaultdict[str, int] = defaultdict(int)
        for need, bit in bits.items():
            for letters in need.split():
                self._letters[letters] |= bit | wakes[need]
        self._needed = needed
        self._every = (1 << len(needs)) - 1
        self._met = Remembered(self.met_by)

    def possible(self, sentence: str) -> list[int]:
        """The places of the patterns whose needs a sentence in lower case meets, in their order."""
        return self.possible_with(reduce(or_, map(self._met.__getitem__, sentence.split()), 0), self._every)

    def possible_with(self, met: int, among: int) -> list[int]:
        """The places of the patterns whose needs are met, in their order.

        Args:
            met: what :meth:`met_by` says of each part of a sentence, bit by bit.
            among: the patterns asked about, a bit for each by its place.
        """
        found: list[int] = []
        left = (met | self._always) & among
        while left:
            place = (left & -left).bit_length() - 1  # of the lowest bit
            left &= left - 1
            if self._needed[place] & met == self._needed[place]:
                found.append(place)
        return found

    def met_by(self, chunk: str) -> int:
        """What the words of a part of a sentence meet; between its parts there are spaces."""
        met = 0
        for found in _WORD.findall(chunk):
            word = f"^{found[:_LONGEST_WORD]}$"
            for start in range(len(word)):
                for end in range(start + 1, len(word) + 1):
                    met |= self._letters.get(word[start:end], 0)
        return met
