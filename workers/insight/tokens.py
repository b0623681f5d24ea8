"""Read a text as weighted tokens, once for every judgement that needs them.

The trainers and the scorers share this module, so that weights are used on exactly the tokens they were
learned from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from workers.insight.phrases import load
from workers.insight.remembered import Remembered

__all__ = [
    "MAX_CHARS",
    "MAX_TOKENS",
    "OPENER",
    "OPENERS",
    "OPENER_REACH",
    "Marks",
    "Tokens",
    "chunks_of",
    "read_chunk",
    "sentences_of",
    "tokenize",
    "weighed",
]

MAX_CHARS: Final = 3_000
"""How much of a text is read; the opinion of a customer's reply stands in its first paragraphs."""

MAX_TOKENS: Final = 600
"""How many words and signs are read of those characters; prose of that length has fewer."""

OPENER: Final = "<opener>"
"""Stands for a lone word of praise that opens a message; before a complaint it is meant as irony."""

OPENER_REACH: Final = 2
"""Among how many first tokens an opener may stand."""

_STARS: Final = ("<no-stars>", "<one-star>", "<two-stars>", "<three-stars>", "<four-stars>", "<five-stars>")
"""Stand for so many stars, whether written in words, figures or signs."""

_NOISE: Final = re.compile(r"&(?:amp|lt|gt|quot);|[_*]+|#(?![^\W\d_])")
_IN_STARS: Final = re.compile(
    r"\b([0-5]|no|not an?(?: single)?|not one(?: single)?|zero|one|two|three|four|five)"
    r"[ -]?(?:(?<=[ -])stars?\b(?! (?:hotel|restaurant|resort|review)s?\b)|[★⭐🌟]\uFE0F?)"
    r"|[★⭐🌟☆](?:[\uFE0F ]{0,2}[★⭐🌟☆]){0,9}",
    re.IGNORECASE,
)
_HOLLOW: Final = 3  # of hollow stars alone nobody can tell what they mean
_IN_WORDS: Final = {word: count for count, word in enumerate(("zero", "one", "two", "three", "four", "five"))}
_TOKEN: Final = re.compile(
    r"(?:https?://|www\.)\S{1,300}"
    r"|[@#]\w{1,50}"
    r"|<(?:no|one|two|three|four|five)-stars?>"
    r"|[:;=8][-^']?[)\](\[DPp/\\|](?!\w)|<3|[)(][-^]?[:;=](?!\w)|\^_?\^"
    r"|[^\W\d_]+(?:'[^\W\d_]+)?"
    r"|\d+(?:[.,:]\d+)*"
    r"|[.,!?]+|[;:()]|--+"
    r"|[^\s\w]"
)
_KIND: Final = re.compile(
    r"(?P<link>(?:https?://|www\.)\S+)|(?P<user>@\w+)|#(?P<hashtag>\w+)|(?P<stars><[a-z-]+>)"
    r"|(?P<face>[:;=8][-^']?[)\](\[DPp/\\|]|<3|[)(][-^]?[:;=]|\^_?\^)"
    r"|(?P<word>[^\W\d_].*)|(?P<number>\d.*)|(?P<stop>[.,;:!?()]+|--+)|(?P<sign>.)",
    re.DOTALL,
)
_LINE_END: Final = "\n"
_ITEM: Final = re.compile(r"\s*[-*\u2022\d]")
_WRAPPED: Final = 48  # a line this long may go on in the next one; a shorter one was ended by its writer
_APOSTROPHES: Final = "\u2019\u2018\u00b4`"
_STRETCHED: Final = re.compile(r"([a-vx-zA-VX-Z])\1{2,}")  # not the w of an address
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_GLAD_MOUTHS: Final = frozenset(")]DPp")
_GLAD_FACES: Final = frozenset({"<3", "^^", "^_^"})
_FEWEST_SHOUTED: Final = 3
_SHOUT: Final = 1.3
_SCOPE: Final = 4
_ENDS_SCOPE: Final = frozenset(".;:!?()")
_ENDS_SENTENCE: Final = frozenset(".!?")
_BEFORE_CONTRAST: Final = 0.5
_AFTER_CONTRAST: Final = 1.4

_WORDS: Final = load("sentiment_words")
_BARE: Final[dict[str, str]] = _WORDS["bare"]
_IRREGULAR: Final[dict[str, str]] = _WORDS["irregular"]
_SUFFIXES: Final[dict[str, str]] = _WORDS["suffixes"]
_NEGATORS: Final = frozenset(_WORDS["negators"])
_SEEN_THROUGH: Final = frozenset(_WORDS["seen_through"])
_JOINS: Final = frozenset(_WORDS["joins"])
_SUBJECTS: Final = frozenset(_WORDS["subjects"])
_CONTRAST: Final = frozenset(_WORDS["contrast"])
_NOT_NEGATING: Final = {word: frozenset(before) for word, before in _WORDS["not_negating"].items()}
_EMPHASIS: Final[dict[str, float]] = _WORDS["emphasis"]
OPENERS: Final = frozenset(_WORDS["openers"])  # words of praise
_INTERJECTIONS: Final = frozenset(_WORDS["interjections"])


@dataclass(slots=True)
class Tokens:
    """The words, faces and signs of a text, in rows of the same length.

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

    def names(self) -> list[str]:
        """Under what the weights of each word are filed: the word, a negated one behind a "~"."""
        return [f"~{word}" if denied else word for word, denied in zip(self.texts, self.negated, strict=True)]

    def pairs(self) -> list[str]:
        """Under what the weights of each pair are filed: its words with a space between them, "^" before the first."""
        return [f"{before} {word}" for before, word in pairwise(("^", *self.texts))]


class Mark(NamedTuple):
    """What a word or a stop does to the words around it."""

    negates: bool = False
    turns: bool = False
    emphasis: float = 1.0
    shouted: bool = False
    freed_by: frozenset[str] = frozenset()
    stops: bool = False
    ends_scope: bool = False
    ends_sentence: bool = False


Marks = tuple[tuple[int, Mark], ...]  # each behind the number of words before it, in ascending order


class Chunk(NamedTuple):
    """What stands between two spaces, or the end of a line: its tokens, and the marks at or before them."""

    texts: tuple[str, ...]
    marks: Marks


def tokenize(text: str) -> Tokens:
    """Read the first :data:`MAX_CHARS` characters as weighted tokens; linear time, never raises."""
    chunks, shouting = chunks_of(text)
    texts: list[str] = []
    marks: list[tuple[int, Marks]] = []
    for words, found in map(_CHUNKS.__getitem__, chunks):
        marks.append((len(texts), found))
        texts += words
    return weighed(texts[:MAX_TOKENS], marks, shouting=shouting)


def chunks_of(text: str) -> tuple[list[str], bool]:
    """What stands between the spaces of a text's first :data:`MAX_CHARS` characters, and whether no letter is small.

    The end of a line is a chunk of its own.
    """
    text = _cleaned(text[:MAX_CHARS])
    chunks: list[str] = []
    for line in text.split("\n"):
        chunks += line.split()
        chunks.append(_LINE_END)
    return chunks, text.isupper()


def weighed(texts: list[str], marks: Sequence[tuple[int, Marks]], *, shouting: bool) -> Tokens:
    """Words and signs with what is said of each by the marks, at the places where they stand.

    Args:
        texts: at most :data:`MAX_TOKENS` of them.
        marks: of each chunk that has some, behind the number of words before the chunk.
        shouting: whether all letters are capitals, so that none means more.
    """
    placed = [(start + offset, mark) for start, found in marks for offset, mark in found]
    for at, mark in placed:
        if at > OPENER_REACH:
            break
        if mark.stops and at:
            _mark_opener(texts, at - 1)
    rows = _Rows(texts, shouting=shouting)
    for at, mark in placed:
        if at > MAX_TOKENS:
            break
        if mark.stops:
            rows.stop(at, mark)
        elif at < len(texts):
            rows.word(at, mark)
    return Tokens(tuple(texts), tuple(rows.negated), tuple(rows.weights))


def _mark_opener(texts: list[str], last: int) -> None:
    """Replace a lone word of praise with which a message opens, before its first stop."""
    if texts[last] in OPENERS and (last == 0 or texts[0] in _INTERJECTIONS):
        texts[last] = OPENER


def _cleaned(text: str) -> str:
    """A text with plain apostrophes, without entities and emphasis, and with a token for stars."""
    plain = text.isascii()
    for mark in "`" if plain else _APOSTROPHES:
        text = text.replace(mark, "'")
    if "_" in text or "&" in text or "#" in text or "*" in text:
        text = _NOISE.sub(" ", text)
    if not plain or "tar" in text or "TAR" in text:
        text = _IN_STARS.sub(_as_token, text)
    return text


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
    text = "\n".join(paragraphs)
    for end in _ENDS_SENTENCE:
        text = text.replace(f"{end} ", f"{end}\n")
    return tuple(filter(None, text.split("\n")))


class _Rows:
    """Fills in which tokens are negated and how much each counts, mark by mark, from left to right."""

    __slots__ = ("_contrast", "_denied", "_sentence", "_shouting", "_texts", "negated", "weights")

    def __init__(self, texts: list[str], *, shouting: bool) -> None:
        self.negated = [False] * len(texts)
        self.weights = [1.0] * len(texts)
        self._texts = texts
        self._shouting = shouting
        self._sentence = 0  # where it begins
        self._contrast = len(texts)  # where the part behind a "but" begins
        self._denied = 0  # up to where a negation reaches

    def stop(self, at: int, mark: Mark) -> None:
        if mark.ends_scope and at < self._denied:
            self._affirm(at)
        if mark.ends_sentence:
            if self._contrast < at:
                self._scale(self._contrast, at, _AFTER_CONTRAST)
            self._sentence, self._contrast = at, len(self._texts)

    def word(self, at: int, mark: Mark) -> None:
        if mark.turns:  # what follows the "but" is what the writer means
            self._scale(self._contrast, at, _AFTER_CONTRAST)
            self._scale(self._sentence, at, _BEFORE_CONTRAST)
            self._sentence = self._contrast = at
            self._affirm(at)
        if mark.negates:
            self._deny(at + 1)
        elif at and self._texts[at - 1] in mark.freed_by:
            self._affirm(at + 1)
        if mark.emphasis != 1.0:
            self._scale(at + 1, at + 2, mark.emphasis)
        if mark.shouted and not self._shouting:
            self._scale(at, at + 1, _SHOUT)

    def _scale(self, start: int, end: int, factor: float) -> None:
        self.weights[start:end] = [weight * factor for weight in self.weights[start:end]]

    def _affirm(self, start: int) -> None:
        """End a negation before `start`."""
        self.negated[start : self._denied] = [False] * len(self.negated[start : self._denied])

    def _deny(self, start: int) -> None:
        """Negate the words from `start` on, as far as a negation reaches.

        Who does "not think that I will be back" will not be back: such verbs and their pronouns use up none of it.
        """
        left, end = _SCOPE, start
        while left and end < len(self._texts) and not self._begins_clause(end):
            self.negated[end] = True
            left -= self._texts[end] not in _SEEN_THROUGH
            end += 1
        self._denied = end

    def _begins_clause(self, at: int) -> bool:
        """Whether another clause begins here: what "has not arrived and I am angry" denies ends before the "and"."""
        return self._texts[at] in _JOINS and not _SUBJECTS.isdisjoint(self._texts[at + 1 : at + 2])


def read_chunk(chunk: str) -> Chunk:
    """Read one of :func:`chunks_of` a text."""
    if chunk == _LINE_END:
        return Chunk((), ((0, Mark(stops=True, ends_scope=True, ends_sentence=True)),))
    texts: list[str] = []
    marks: list[tuple[int, Mark]] = []
    for raw in _TOKEN.findall(chunk):
        found = _KIND.fullmatch(raw)
        kind = found.lastgroup if found else "sign"
        if kind == "stop":
            stops = frozenset(raw)
            scope, sentence = bool(stops & _ENDS_SCOPE), bool(stops & _ENDS_SENTENCE)
            marks.append((len(texts), Mark(stops=True, ends_scope=scope, ends_sentence=sentence)))
            sign = "?!" if {"!", "?"} <= stops else "!" if "!" in raw else "?" if "?" in raw else ""
            texts += [sign] if sign else []
            continue
        words = _words_of(kind, raw)
        shouted = kind == "word" and len(raw) >= _FEWEST_SHOUTED and raw.isupper()
        for word in words:
            mark = Mark(
                negates=word in _NEGATORS,
                turns=word in _CONTRAST,
                emphasis=_EMPHASIS.get(word, 1.0),
                shouted=shouted,
                freed_by=_NOT_NEGATING.get(word, frozenset()),
            )
            if mark != Mark():
                marks.append((len(texts), mark))
            texts.append(word)
    return Chunk(tuple(texts), tuple(marks))


_CHUNKS: Final = Remembered(read_chunk)


def _words_of(kind: str | None, raw: str) -> tuple[str, ...]:
    """What one match stands for: "won't" is "will" and "not", a hashtag is its words."""
    if kind == "word":
        return _words(_STRETCHED.sub(r"\1\1", raw).lower())
    if kind == "hashtag":
        return _of_hashtag(raw[1:])
    if kind == "face":
        glad = raw in _GLAD_FACES or raw[0] == "(" or (raw[0] not in ")(" and raw[-1] in _GLAD_MOUTHS)
        return (":)" if glad else ":(",)
    return ({"link": "<link>", "user": "<user>", "number": "0"}.get(kind or "", raw.lower()),)


def _words(word: str) -> tuple[str, ...]:
    if word in _BARE:
        return (_BARE[word], "not")
    if word.endswith("n't"):
        return (_IRREGULAR.get(word, word[:-3]), "not")
    if "'" in word:
        stem, _, suffix = word.partition("'")
        return (stem, _SUFFIXES.get("'" + suffix, "'" + suffix))
    return (word,)


def _of_hashtag(tag: str) -> tuple[str, ...]:
    """The words of "#NeverAgain" or "#neveragain"; the tag itself if they cannot be told apart."""
    if not tag.islower() and not tag.isupper():
        parts = [part.lower() for part in _CAMEL.findall(tag)]
    else:
        parts = _apart(tag.lower())
    return tuple(word for part in parts for word in _words(part)) or (tag.lower(),)


def _apart(letters: str) -> list[str]:
    """The fewest known words that spell the letters, else the letters as they are."""
    known = _spelled()
    fewest: dict[int, list[str]] = {0: []}
    for end in range(1, len(letters) + 1):
        ways = [[*fewest[start], letters[start:end]] for start in fewest if letters[start:end] in known]
        if ways:
            fewest[end] = min(ways, key=len)
    return fewest.get(len(letters), [letters])


@cache
def _spelled() -> frozenset[str]:
    """The words that hashtags are made of: those that say what somebody thinks, and of what."""
    data = load("sentiment_lexicon")
    listed = [entry for part in ("words", "phrases") for group in data[part].values() for entry in group]
    return (
        frozenset(word for entry in listed for word in entry.split())
        | _NEGATORS
        | frozenset(_BARE)
        | frozenset(_EMPHASIS)
    )


def _as_token(found: re.Match[str]) -> str:
    """The token for stars in signs ("★★☆☆☆") or in words ("two stars")."""
    if word := found[1]:
        count = int(word) if word.isdigit() else _IN_WORDS.get(word.lower(), 0)
    else:
        count = min(sum(sign in "★⭐🌟" for sign in found[0]), 5) or _HOLLOW
    return f" {_STARS[count]} "
