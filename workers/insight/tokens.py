"""Read a text as weighted tokens, once for every judgement that needs them.

The trainers and the scorers share this module, so that weights are used on exactly the tokens they were
learned from.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from workers.insight.phrases import load

__all__ = ["MAX_CHARS", "MAX_TOKENS", "OPENER", "OPENER_REACH", "Tokens", "sentences_of", "tokenize"]

MAX_CHARS: Final = 3_000
"""How much of a text is read; the opinion of a customer's reply stands in its first paragraphs."""

MAX_TOKENS: Final = 600
"""How many words and signs are read of those characters; prose of that length has fewer."""

OPENER: Final = "<opener>"
"""Stands for a lone word of praise that opens a message; before a complaint it is meant as irony."""

OPENER_REACH: Final = 2
"""Among how many first tokens an opener may stand."""

_ENTITY: Final = re.compile(r"&(?:amp|lt|gt|quot);|[#_*]+")
_TOKEN: Final = re.compile(
    r"(?:https?://|www\.)\S{1,300}"
    r"|@\w{1,50}"
    r"|[:;=8][-^']?[)\](\[DPp/\\|](?!\w)|<3|[)(][-^]?[:;=](?!\w)|\^_?\^"
    r"|[^\W\d_]+(?:'[^\W\d_]+)?"
    r"|\d+(?:[.,:]\d+)*"
    r"|[.,!?\n]+|[;:()]|--+"
    r"|[^\s\w]"
)
_KIND: Final = re.compile(
    r"(?P<link>(?:https?://|www\.)\S+)|(?P<user>@\w+)"
    r"|(?P<face>[:;=8][-^']?[)\](\[DPp/\\|]|<3|[)(][-^]?[:;=]|\^_?\^)"
    r"|(?P<word>[^\W\d_].*)|(?P<number>\d.*)|(?P<stop>[.,;:!?\n()]+|--+)|(?P<sign>.)",
    re.DOTALL,
)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_ITEM: Final = re.compile(r"\s*[-*\u2022\d]")
_WRAPPED: Final = 48  # a line this long may go on in the next one; a shorter one was ended by its writer
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})
_STRETCHED: Final = re.compile(r"([a-vx-zA-VX-Z])\1{2,}")  # not the w of an address
_GLAD_MOUTHS: Final = frozenset(")]DPp")
_GLAD_FACES: Final = frozenset({"<3", "^^", "^_^"})
_FEWEST_SHOUTED: Final = 3
_SHOUT: Final = 1.3
_SCOPE: Final = 4
_ENDS_SCOPE: Final = frozenset(".;:!?\n()")
_ENDS_SENTENCE: Final = frozenset(".!?\n")
_BEFORE_CONTRAST: Final = 0.5
_AFTER_CONTRAST: Final = 1.4

_WORDS: Final = load("sentiment_words")
_BARE: Final[dict[str, str]] = _WORDS["bare"]
_IRREGULAR: Final[dict[str, str]] = _WORDS["irregular"]
_SUFFIXES: Final[dict[str, str]] = _WORDS["suffixes"]
_NEGATORS: Final = frozenset(_WORDS["negators"])
_CONTRAST: Final = frozenset(_WORDS["contrast"])
_NOT_NEGATING: Final = {word: frozenset(before) for word, before in _WORDS["not_negating"].items()}
_EMPHASIS: Final[dict[str, float]] = _WORDS["emphasis"]
_OPENERS: Final = frozenset(_WORDS["openers"])
_INTERJECTIONS: Final = frozenset(_WORDS["interjections"])


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words, faces and signs of a text, in three rows of the same length.

    Attributes:
        texts: the word in lower case with stretched letters shortened, or a sign such as ``!`` or ``:)``.
        negated: whether a negation stands shortly before it in the same clause.
        weights: how much it counts, above 0: emphasis raises it, what stands before a "but" loses.
    """

    texts: tuple[str, ...]
    negated: tuple[bool, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.texts)


class _Word(NamedTuple):
    """What a word does to the words around it."""

    text: str
    turns: bool
    negates: bool
    emphasis: float
    freed_by: frozenset[str]


class _Piece(NamedTuple):
    """One match: a stop if it has no words, else what it stands for ("won't" is "will" and "not")."""

    words: tuple[_Word, ...] = ()
    shouted: bool = False
    sign: str = ""
    ends_scope: bool = False
    ends_sentence: bool = False


@lru_cache(maxsize=1_024)
def tokenize(text: str) -> Tokens:
    """Read the first :data:`MAX_CHARS` characters as weighted tokens; linear time, never raises."""
    text = text[:MAX_CHARS]
    if not text.isascii() or "`" in text:
        text = text.translate(_APOSTROPHES)
    if "_" in text or "&" in text or "#" in text or "*" in text:
        text = _ENTITY.sub(" ", text)
    reader = _Reader(all_capitals=text.isupper())
    for raw in _TOKEN.findall(text):
        piece = _piece(raw)
        if piece.words:
            reader.word(piece)
            if len(reader.texts) >= MAX_TOKENS:
                break
        else:
            reader.stop(piece)
    return Tokens(tuple(reader.texts), tuple(reader.negated), tuple(reader.weights))


@lru_cache(maxsize=64)
def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text, without spaces around them; lines that a mail program has wrapped are joined."""
    paragraphs: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        stripped = " ".join(line.split())
        if goes_on and stripped and not _ITEM.match(stripped):
            paragraphs[-1] = f"{paragraphs[-1]} {stripped}"
        elif stripped:
            paragraphs.append(stripped)
        goes_on = len(stripped) >= _WRAPPED
    return tuple(part for paragraph in paragraphs for part in _SENTENCE_END.split(paragraph) if part)


class _Reader:
    """Keeps what a word inherits from the words before it."""

    __slots__ = (
        "_all_capitals", "_contrast", "_emphasis", "_previous", "_scope", "_sentence", "negated", "texts", "weights",
    )  # fmt: skip

    def __init__(self, *, all_capitals: bool) -> None:
        self.texts: list[str] = []
        self.negated: list[bool] = []
        self.weights: list[float] = []
        self._all_capitals = all_capitals
        self._sentence = 0  # index of the first token of the sentence
        self._contrast = 1.0
        self._emphasis = 1.0
        self._scope = 0
        self._previous = ""

    def stop(self, piece: _Piece) -> None:
        if 0 < len(self.texts) <= OPENER_REACH:
            self._mark_opener()
        if piece.ends_scope:
            self._scope = 0
        if piece.sign:
            self.texts.append(piece.sign)
            self.negated.append(False)
            self.weights.append(1.0)
        if piece.ends_sentence:
            self._sentence = len(self.texts)
            self._contrast = 1.0

    def word(self, piece: _Piece) -> None:
        weight = self._emphasis * self._contrast
        if piece.shouted and not self._all_capitals:
            weight *= _SHOUT
        for word in piece.words:
            text, turns, negates, self._emphasis, freed_by = word
            if turns:
                self._turn()
            scope = self._scope
            self.texts.append(text)
            self.negated.append(scope > 0)
            self.weights.append(weight)
            if negates:
                self._scope = _SCOPE
            elif scope:
                self._scope = scope - 1
            if freed_by and self._previous in freed_by:
                self._scope = 0
            self._previous = text

    def _turn(self) -> None:
        # What follows the "but" is what the writer means.
        start = self._sentence
        self.weights[start:] = [weight * _BEFORE_CONTRAST for weight in self.weights[start:]]
        self._sentence = len(self.texts)
        self._contrast = _AFTER_CONTRAST
        self._scope = 0

    def _mark_opener(self) -> None:
        texts = self.texts
        if texts[-1] in _OPENERS and not self.negated[-1] and (len(texts) == 1 or texts[0] in _INTERJECTIONS):
            texts[-1] = OPENER


@lru_cache(maxsize=32_768)
def _piece(raw: str) -> _Piece:
    found = _KIND.fullmatch(raw)
    kind = found.lastgroup if found else "sign"
    if kind == "stop":
        sign = "?!" if "!" in raw and "?" in raw else "!" if "!" in raw else "?" if "?" in raw else ""
        marks = frozenset(raw)
        return _Piece(sign=sign, ends_scope=bool(marks & _ENDS_SCOPE), ends_sentence=bool(marks & _ENDS_SENTENCE))
    if kind == "word":
        raw = _STRETCHED.sub(r"\1\1", raw)
        shouted = len(raw) >= _FEWEST_SHOUTED and raw.isupper()
        return _Piece(tuple(_word(text) for text in _words(raw.lower())), shouted)
    return _Piece((_word(_sign(kind, raw)),))


def _word(text: str) -> _Word:
    return _Word(
        text,
        text in _CONTRAST,
        text in _NEGATORS,
        _EMPHASIS.get(text, 1.0),
        _NOT_NEGATING.get(text, frozenset()),
    )


def _words(word: str) -> tuple[str, ...]:
    """The words that one match stands for: "won't" is "will" and "not"."""
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
        glad = raw in _GLAD_FACES or raw[0] == "(" or (raw[0] not in ")(" and raw[-1] in _GLAD_MOUTHS)
        return ":)" if glad else ":("
    return {"link": "<link>", "user": "<user>", "number": "0"}.get(kind or "", raw.lower())
