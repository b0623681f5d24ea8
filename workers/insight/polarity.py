"""Turn a message into the weighted tokens and the figures that sentiment is judged by.

The trainer and the scorer share this module, so that the weights are used on exactly the figures they were
learned from.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

MAX_CHARS = 3_000
"""How much of a text is read; the opinion of a customer's reply stands in its first paragraphs."""

MAX_TOKENS = 600
"""How many words and signs are read of those characters; prose of that length has fewer."""

_NOISE = re.compile(r"&(?:amp|lt|gt|quot);|[#_*]+")
_TOKEN = re.compile(
    r"(?P<link>(?:https?://|www\.)\S{1,300})"
    r"|(?P<user>@\w{1,50})"
    r"|(?P<face>[:;=8][-^']?[)\](\[DPp/\\|](?!\w)|<3|[)(][-^]?[:;=](?!\w)|\^_?\^)"
    r"|(?P<word>[^\W\d_]+(?:'[^\W\d_]+)?)"
    r"|(?P<number>\d+(?:[.,:]\d+)*)"
    r"|(?P<stop>[.,;:!?\n()]+|--+)"
    r"|(?P<sign>[^\s\w])"
)
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})
_STRETCHED = re.compile(r"([a-vx-zA-VX-Z])\1{2,}")  # not the w of an address
_GLAD_MOUTHS = frozenset(")]DPp")
_SUFFIXES = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
_IRREGULAR = {"won't": "will", "can't": "can", "shan't": "shall", "ain't": "is"}
_BARE = {
    "cannot": "can", "cant": "can", "dont": "do", "doesnt": "does", "didnt": "did", "isnt": "is",
    "wasnt": "was", "werent": "were", "wont": "will", "wouldnt": "would", "couldnt": "could",
    "shouldnt": "should", "aint": "is", "hasnt": "has", "havent": "have", "hadnt": "had", "arent":
    "are",
}  # fmt: skip
_NEGATORS = frozenset(
    [
        "barely", "hardly", "lacked", "lacks", "neither", "never", "no", "nobody", "none", "nor",
        "not", "nothing", "rarely", "scarcely", "seldom", "without", "zero",
    ]
)  # fmt: skip
_CONTRAST = frozenset(
    [
        "but", "except", "however", "nevertheless", "sadly", "though", "unfortunately", "yet",
    ]
)  # fmt: skip
_NOT_NEGATING = frozenset(
    [("no", "wonder"), ("not", "only"), ("no", "doubt"), ("no", "matter"), ("not", "just")]
)
_SCOPE = 4
_ENDS_SCOPE = frozenset(".;:!?\n()")
_ENDS_SENTENCE = frozenset(".!?\n")
_EMPHASIS = {
    "very": 1.3, "really": 1.3, "so": 1.2, "extremely": 1.5, "absolutely": 1.5, "incredibly": 1.5,
    "totally": 1.4, "completely": 1.4, "highly": 1.3, "too": 1.2, "super": 1.3, "truly": 1.3,
    "especially": 1.2, "beyond": 1.3, "slightly": 0.6, "somewhat": 0.6, "bit": 0.7, "little": 0.8,
    "fairly": 0.8, "kinda": 0.7,
}  # fmt: skip
_OPENERS = frozenset(
    [
        "awesome", "brilliant", "excellent", "fabulous", "fantastic", "great", "lovely", "nice",
        "perfect", "super", "terrific", "wonderful",
    ]
)  # fmt: skip
_INTERJECTIONS = frozenset(["oh", "yeah", "well", "just", "ah", "wow", "<user>", "how"])
OPENER = "<opener>"
"""Stands for a lone word of praise that opens a message; before a complaint it is meant as irony."""
_OPENER_VALUE = 2.5
_IRONY_VALUE = 1.5
_LATEST_OPENER = 2
_SHOUT = 1.3
_SHORTEST_SHOUT = 3
_BEFORE_CONTRAST = 0.5
_AFTER_CONTRAST = 1.4
_LONGEST_PHRASE = 4
_NEGATED_SHARE = 0.6
_WEAK = 0.5
_NO_PHRASE = (0, 0.0)


class Token(NamedTuple):
    """One word, face or sign of a message.

    Attributes:
        text: the word in lower case with stretched letters shortened, or a sign such as ``!`` or ``:)``.
        negated: whether a negation stands shortly before it in the same clause.
        weight: how much it counts, above 0: emphasis raises it, what stands before a "but" loses.
    """

    text: str
    negated: bool
    weight: float


class Lexicon(NamedTuple):
    """Hand-written polarity, -4..4, of words and of phrases of two to four words."""

    words: Mapping[str, float]
    phrases: Mapping[tuple[str, ...], float]


@cache
def lexicon() -> Lexicon:
    """The lexicon in ``data/sentiment_lexicon.json``, read once."""
    source = resources.files("workers.insight").joinpath("data", "sentiment_lexicon.json")
    data = json.loads(source.read_text(encoding="utf-8"))
    words = {word: float(value) for value, group in data["words"].items() for word in group}
    phrases = {tuple(p.split()): float(value) for value, group in data["phrases"].items() for p in group}
    return Lexicon(words, phrases)


def tokenize(text: str) -> list[Token]:
    """Read the first :data:`MAX_CHARS` characters as weighted tokens; linear time, never raises."""
    text = _STRETCHED.sub(r"\1\1", _NOISE.sub(" ", text[:MAX_CHARS].translate(_APOSTROPHES)))
    reader = _Reader(all_capitals=text.isupper())
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "stop":
            reader.stop(set(match.group()))
        else:
            reader.word(match.lastgroup, match.group())
        if len(reader.tokens) >= MAX_TOKENS:
            break
    return reader.tokens


class _Reader:
    """Keeps what a word inherits from the words before it."""

    def __init__(self, *, all_capitals: bool) -> None:
        self.tokens: list[Token] = []
        self._all_capitals = all_capitals
        self._sentence = 0  # index of the first token of the sentence
        self._contrast = 1.0
        self._emphasis = 1.0
        self._scope = 0
        self._previous = ""

    def stop(self, marks: set[str]) -> None:
        self._mark_opener()
        if marks & _ENDS_SCOPE:
            self._scope = 0
        if "!" in marks or "?" in marks:
            sign = "?!" if {"!", "?"} <= marks else "!" if "!" in marks else "?"
            self.tokens.append(Token(sign, negated=False, weight=1.0))
        if marks & _ENDS_SENTENCE:
            self._sentence = len(self.tokens)
            self._contrast = 1.0

    def word(self, kind: str | None, raw: str) -> None:
        weight = self._emphasis * self._contrast
        if kind == "word" and len(raw) >= _SHORTEST_SHOUT and not self._all_capitals and raw.isupper():
            weight *= _SHOUT
        for word in _words(kind, raw):
            if word in _CONTRAST:
                self._turn()
            self.tokens.append(Token(word, negated=self._scope > 0, weight=weight))
            self._scope = _SCOPE if word in _NEGATORS else max(0, self._scope - 1)
            if (self._previous, word) in _NOT_NEGATING:
                self._scope = 0
            self._emphasis = _EMPHASIS.get(word, 1.0)
            self._previous = word

    def _turn(self) -> None:
        # What follows the "but" is what the writer means.
        start = self._sentence
        self.tokens[start:] = [t._replace(weight=t.weight * _BEFORE_CONTRAST) for t in self.tokens[start:]]
        self._sentence = len(self.tokens)
        self._contrast = _AFTER_CONTRAST
        self._scope = 0

    def _mark_opener(self) -> None:
        tokens = self.tokens
        if (
            0 < len(tokens) <= _LATEST_OPENER
            and tokens[-1].text in _OPENERS
            and not tokens[-1].negated
            and (len(tokens) == 1 or tokens[0].text in _INTERJECTIONS)
        ):
            tokens[-1] = tokens[-1]._replace(text=OPENER)


def _words(kind: str | None, raw: str) -> tuple[str, ...]:
    """The words that one match stands for: "won't" is "will" and "not"."""
    if kind != "word":
        return (_sign(kind, raw),)
    word = raw.lower()
    if word in _BARE:
        return (_BARE[word], "not")
    if word.endswith("n't"):
        return (_IRREGULAR.get(word, word[:-3]), "not")
    if "'" in word:
        stem, _, suffix = word.partition("'")
        return (stem, _SUFFIXES.get("'" + suffix, "'" + suffix))
    return (word,)


def _sign(kind: str | None, raw: str) -> str:
    """The one token that a link, a name, a face, a number or another sign becomes."""
    if kind == "face":
        glad = raw in {"<3", "^^", "^_^"} or raw[0] == "(" or (raw[0] not in ")(" and raw[-1] in _GLAD_MOUTHS)
        return ":)" if glad else ":("
    return {"link": "<link>", "user": "<user>", "number": "0"}.get(kind or "", raw.lower())


FIGURES = 14
"""How many numbers :func:`figures` returns."""


def figures(tokens: list[Token], prior: Mapping[str, float]) -> list[float]:
    """Describe the polarity of a message in :data:`FIGURES` numbers, each roughly within -2..2.

    Args:
        tokens: from :func:`tokenize`.
        prior: polarity of single words, -4..4, for those the hand-written lexicon does not know.
    """
    words, phrases = lexicon()
    tally = _Tally()
    position = 0
    while position < len(tokens):
        text, negated, weight = tokens[position]
        length, value = _phrase_at(tokens, position, phrases)
        if length:
            tally.phrase(value * weight)
            position += length
            continue
        position += 1
        value = words[text] if text in words else prior.get(text, 0.0)
        if value:
            tally.word(value * weight, negated=negated)
    texts = [token.text for token in tokens]
    if OPENER in texts[:_LATEST_OPENER]:
        tally.opener()
    exclaims = texts.count("!")
    asks = texts.count("?") + texts.count("?!")
    root = max(len(tokens), 1) ** 0.5
    return [
        *tally.figures(root),
        min(exclaims, 3) / 3,
        min(asks, 2) / 2,
        root / 5,
        float(tally.highest < _WEAK and tally.lowest > -_WEAK),
    ]


class _Tally:
    """Adds up what words and phrases say, good and bad apart."""

    def __init__(self) -> None:
        self.good = self.bad = self.denied_good = self.denied_bad = self.phrase_good = self.phrase_bad = 0.0
        self.highest = self.lowest = self.last = 0.0

    def word(self, value: float, *, negated: bool) -> None:
        if negated:
            if value > 0:
                self.denied_good += value
            else:
                self.denied_bad -= value
            value *= -_NEGATED_SHARE
        elif value > 0:
            self.good += value
        else:
            self.bad -= value
        self._peak(value)

    def phrase(self, value: float) -> None:
        if value > 0:
            self.phrase_good += value
        else:
            self.phrase_bad -= value
        self._peak(value)

    def opener(self) -> None:
        """Count a lone word of praise: meant so, or as irony before a complaint."""
        if self.lowest < -_IRONY_VALUE / 2 and self.highest < -self.lowest:
            self.phrase_bad += _IRONY_VALUE
            self.lowest = min(self.lowest, -_IRONY_VALUE)
        else:
            self.good += _OPENER_VALUE
            self.highest = max(self.highest, _OPENER_VALUE)

    def figures(self, root: float) -> tuple[float, ...]:
        denied = self.denied_good - self.denied_bad
        total = self.good - self.bad - _NEGATED_SHARE * denied + self.phrase_good - self.phrase_bad
        return (
            self.good / root / 2,
            self.bad / root / 2,
            self.denied_good / root,
            self.denied_bad / root,
            self.phrase_good / root / 2,
            self.phrase_bad / root / 2,
            self.highest / 3,
            self.lowest / 3,
            self.last / 3,
            2 * total / (total * total + 15) ** 0.5,
        )

    def _peak(self, value: float) -> None:
        self.highest = max(self.highest, value)
        self.lowest = min(self.lowest, value)
        self.last = value


def _phrase_at(
    tokens: list[Token], position: int, phrases: Mapping[tuple[str, ...], float]
) -> tuple[int, float]:
    """Length and polarity of the longest known phrase that starts here, else (0, 0.0)."""
    if tokens[position].text not in _phrase_starts():
        return _NO_PHRASE
    window = tuple(token.text for token in tokens[position : position + _LONGEST_PHRASE])
    for length in range(len(window), 1, -1):
        if window[:length] in phrases:
            return length, phrases[window[:length]]
    return _NO_PHRASE


@cache
def _phrase_starts() -> frozenset[str]:
    return frozenset(phrase[0] for phrase in lexicon().phrases)
