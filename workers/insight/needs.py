"""Which of many patterns may match a sentence at all, told by the letters inside its words."""

from collections.abc import Sequence

from workers.insight.remembered import Remembered

__all__ = ["Needs"]


class Needs:
    """What each of several patterns cannot match without."""

    def __init__(self, needs: Sequence[Sequence[str]]) -> None:
        """Take the needs of each pattern: letters with spaces between them, of which one has to stand in a word."""
        bits = {need: 1 << place for place, need in enumerate(sorted({need for listed in needs for need in listed}))}
        self._letters = [(letters, bit) for need, bit in bits.items() for letters in need.split()]
        self._needed = [sum(bits[need] for need in set(listed)) for listed in needs]
        self._met = Remembered(self._met_by)

    def possible(self, sentence: str) -> list[int]:
        """The numbers of the patterns whose needs a sentence in lower case meets, in their order."""
        met = 0
        for chunk in sentence.split():
            met |= self._met[chunk]
        return [number for number, needed in enumerate(self._needed) if met & needed == needed]

    def _met_by(self, chunk: str) -> int:
        met = 0
        for letters, bit in self._letters:
            if letters in chunk:
                met |= bit
        return met
