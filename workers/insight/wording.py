"""Phrases that machines and people use, looked for in a text whatever its case, spacing and punctuation."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from workers.insight.addresses import ADDRESS

__all__ = ["LINK", "Phrases", "fold_words"]

LINK: Final = re.compile(r"\bhttps?://\S{1,500}", re.IGNORECASE)
_NO_WORD: Final = re.compile(r"[^\w@']+|_+")
_WORD: Final = re.compile(r"\S+")
_FIRST_CJK: Final = "\u2e80"


def fold_words(text: str) -> str:
    """The words of a text in lower case with single spaces between them; links are left out, addresses become @."""
    text = ADDRESS.sub(" @ ", LINK.sub(" ", text.replace("\u2019", "'").casefold()))
    return _NO_WORD.sub(" ", text).strip()


class Phrases:
    """A list of phrases that finds any of them, as whole words, in what `fold_words` returns.

    In "mailbox … full" up to four words may stand between the two; "rejected ." is the end of the text.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = tuple(wanted)

    # Compiled when first asked for: together all lists take a quarter of a second, and most commands read no mail.
    @cached_property
    def _by_first_word(self) -> Mapping[str, list[re.Pattern[str]]]:
        # Most words begin no phrase: one look for each is faster than one alternation of all phrases.
        found = defaultdict(list)
        for phrase in self._wanted:
            if phrase[0] < _FIRST_CJK:
                words, end = phrase.removesuffix(" ."), "$" if phrase.endswith(" .") else r"(?!\w)"
                pattern = r"(?: \S+){0,4} ".join(re.escape(piece) for piece in words.split(" … "))
                found[words.split(" ")[0]].append(re.compile(pattern + end))
        return found

    @cached_property
    def _unparted(self) -> re.Pattern[str] | None:
        """The phrases of languages that do not part their words."""
        unparted = [re.escape(phrase) for phrase in self._wanted if phrase[0] >= _FIRST_CJK]
        return re.compile("|".join(unparted)) if unparted else None

    def found_in(self, words: str) -> bool:
        """Whether any of the phrases stands in these folded words."""
        return next(self.places_in(words), None) is not None

    def places_in(self, words: str) -> Iterator[tuple[int, int]]:
        """Where the phrases stand in these folded words: from and to, in no certain order."""
        for word in _WORD.finditer(words):
            for pattern in self._by_first_word.get(word[0], ()):
                place = pattern.match(words, word.start())
                if place:
                    yield place.span()
        if self._unparted:
            yield from (place.span() for place in self._unparted.finditer(words))
