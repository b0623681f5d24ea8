"""Read a text as weighted tokens, once for every judgement that needs them.

The trainers and the scorers share this module, so that weights are used on exactly the tokens they were
learned from.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from workers.insight.phrases import load

__all__ = ["MAX_CHARS", "MAX_TOKENS", "OPENER", "OPENER_REACH", "STARS", "Tokens", "sentences_of", "tokenize"]

MAX_CHARS: Final = 3_000
"""How much of a text is read; the opinion of a customer's reply stands in its first paragraphs."""

MAX_TOKENS: Final = 600
"""How many words and signs are read of those characters; prose of that length has fewer."""

OPENER: Final = "<opener>"
"""Stands for a lone word of praise that opens a message; before a complaint it is meant as irony."""

OPENER_REACH: Final = 2
"""Among how many first tokens an opener may stand."""

STARS: Final = ("<no-stars>", "<one-star>", "<two-stars>", "<three-stars>", "<four-stars>", "<five-stars>")
"""Stand for so many stars, whether written in words, figures or signs."""

_NOISE: Final = re.compile(r"&(?:amp|lt|gt|quot);|[_*]+|#(?![^\W\d_])")
_IN_STARS: Final = re.compile(
    r"[★⭐🌟☆](?:[\uFE0F ]{0,2}[★⭐🌟☆]){0,9}"
    r"|\b([0-5]|no|zero|one|two|three|four|five)[ -]stars?\b(?! (?:hotel|restaurant|resort|review)s?\b)",
    re.IGNORECASE,
)
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
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_ITEM: Final = re.compile(r"\s*[-*\u2022\d]")
_WRAPPED: Final = 48  # a line this long may go on in the next one; a shorter one was ended by its writer
_LONGEST_CHUNK: Final = 40  # letters between spaces; what is longer is seldom seen twice
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00b4": "'", "`": "'"})
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
_CONTRAST: Final = frozenset(_WORDS["contrast"])
_NOT_NEGATING: Final = {word: frozenset(before) for word, before in _WORDS["not_negating"].items()}
_EMPHASIS: Final[dict[str, float]] = _WORDS["emphasis"]
_OPENERS: Final = frozenset(_WORDS["openers"])
_INTERJECTIONS: Final = frozenset(_WORDS["interjections"])


@dataclass(slots=True)
class Tokens:
    """The words, faces and signs of a text, in rows of the same length.

    Attributes:
        texts: the word in lower case with stretched letters shortened, or a sign such as ``!`` or ``:)``.
        negated: whether a negation stands shortly before it in the same clause.
        weights: how much it counts, above 0: emphasis raises it, what stands before a "but" loses.
        names: the texts, each negated one behind a "~".
        pairs: each text with the one before it, "^" before the first.
    """

    texts: tuple[str, ...]
    negated: tuple[bool, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.texts)


class _Mark(NamedTuple):
    """What a word or a stop does to the words around it."""

    negates: bool = False
    turns: bool = False
    emphasis: float = 1.0
    shouted: bool = False
    freed_by: frozenset[str] = frozenset()
    stops: bool = False
    ends_scope: bool = False
    ends_sentence: bool = False


_LINE_END: Final = _Mark(stops=True, ends_scope=True, ends_sentence=True)


class _Chunk(NamedTuple):
    """What stands between two spaces: its tokens, and the marks at or before them."""

    texts: tuple[str, ...]
    marks: tuple[tuple[int, _Mark], ...]


@lru_cache(maxsize=1_024)
def tokenize(text: str) -> Tokens:
    """Read the first :data:`MAX_CHARS` characters as weighted tokens; linear time, never raises."""
    text = text[:MAX_CHARS]
    plain = text.isascii()
    if not plain or "`" in text:
        text = text.translate(_APOSTROPHES)
    if "_" in text or "&" in text or "#" in text or "*" in text:
        text = _NOISE.sub(" ", text)
    if not plain or "star" in text or "Star" in text or "STAR" in text:
        text = _IN_STARS.sub(_as_token, text)
    texts: list[str] = []
    marks: list[tuple[int, _Mark]] = []
    for line in text.split("\n"):
        for chunk in line.split():
            words, found = _chunk(chunk) if len(chunk) <= _LONGEST_CHUNK else _read_chunk(chunk)
            for offset, mark in found:
                marks.append((len(texts) + offset, mark))
            texts += words
        marks.append((len(texts), _LINE_END))
    del texts[MAX_TOKENS:]
    negated, weights = _apply(marks, texts, shouting=text.isupper())
    names = [f"~{word}" if denied else word for word, denied in zip(texts, negated, strict=True)] if any(negated) else texts
    return Tokens(tuple(texts), tuple(negated), tuple(weights), tuple(names), tuple(pairwise(("^", *texts))))


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


def _apply(marks: list[tuple[int, _Mark]], texts: list[str], *, shouting: bool) -> tuple[list[bool], list[float]]:
    """Which tokens are negated, and how much each counts; marks an opener in `texts`.

    Args:
        marks: with the index of the token that each belongs to, or stands before; in order.
        texts: the tokens.
        shouting: whether all letters are capitals, of which none then means more.
    """
    count = len(texts)
    negated = [False] * count
    weights = [1.0] * count
    sentence = 0  # where it begins
    denied = 0  # up to where words are negated
    turned = count  # where the part behind a "but" begins
    for at, mark in marks:
        if at >= count and not mark.stops:
            break
        if mark.stops:
            if 0 < at <= OPENER_REACH:
                _mark_opener(texts, negated, at - 1)
            if mark.ends_scope:
                negated[at:denied] = [False] * len(negated[at:denied])
            if mark.ends_sentence:
                weights[turned:at] = [weight * _AFTER_CONTRAST for weight in weights[turned:at]]
                sentence, turned = at, count
            continue
        if mark.turns:  # what follows the "but" is what the writer means
            weights[turned:at] = [weight * _AFTER_CONTRAST for weight in weights[turned:at]]
            weights[sentence:at] = [weight * _BEFORE_CONTRAST for weight in weights[sentence:at]]
            sentence = turned = at
            negated[at:denied] = [False] * len(negated[at:denied])
        if mark.negates:
            denied = _deny(texts, negated, at + 1)
        elif mark.freed_by and at and texts[at - 1] in mark.freed_by:
            negated[at + 1 : denied] = [False] * len(negated[at + 1 : denied])
        if mark.emphasis != 1.0 and at + 1 < count:
            weights[at + 1] *= mark.emphasis
        if mark.shouted and not shouting:
            weights[at] *= _SHOUT
    return negated, weights


def _deny(texts: list[str], negated: list[bool], start: int) -> int:
    """Negate the words from `start` on, as far as a negation reaches; return where it ends.

    Who does "not think that I will be back" will not be back: such verbs and their pronouns use up none of it.
    """
    left, end = _SCOPE, start
    while left and end < len(texts):
        negated[end] = True
        left -= texts[end] not in _SEEN_THROUGH
        end += 1
    return end


def _mark_opener(texts: list[str], negated: list[bool], last: int) -> None:
    if texts[last] in _OPENERS and not negated[last] and (last == 0 or texts[0] in _INTERJECTIONS):
        texts[last] = OPENER


@lru_cache(maxsize=32_768)
def _chunk(chunk: str) -> _Chunk:
    return _read_chunk(chunk)


def _read_chunk(chunk: str) -> _Chunk:
    texts: list[str] = []
    marks: list[tuple[int, _Mark]] = []
    for raw in _TOKEN.findall(chunk):
        found = _KIND.fullmatch(raw)
        kind = found.lastgroup if found else "sign"
        if kind == "stop":
            stops = frozenset(raw)
            marks.append(
                (
                    len(texts),
                    _Mark(stops=True, ends_scope=bool(stops & _ENDS_SCOPE), ends_sentence=bool(stops & _ENDS_SENTENCE)),
                )
            )
            sign = "?!" if {"!", "?"} <= stops else "!" if "!" in raw else "?" if "?" in raw else ""
            texts += [sign] if sign else []
            continue
        words = _words_of(kind, raw)
        shouted = kind == "word" and len(raw) >= _FEWEST_SHOUTED and raw.isupper()
        for word in words:
            mark = _Mark(
                negates=word in _NEGATORS,
                turns=word in _CONTRAST,
                emphasis=_EMPHASIS.get(word, 1.0),
                shouted=shouted,
                freed_by=_NOT_NEGATING.get(word, frozenset()),
            )
            if mark != _Mark():
                marks.append((len(texts), mark))
            texts.append(word)
    return _Chunk(tuple(texts), tuple(marks))


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
    """The words that hashtags are made of: those that say what somebody thinks."""
    data = load("sentiment_lexicon")
    listed = [entry for part in ("words", "phrases") for group in data[part].values() for entry in group]
    return frozenset(word for entry in listed for word in entry.split()) | _NEGATORS | frozenset(_BARE) | frozenset(_EMPHASIS)


def _as_token(found: re.Match[str]) -> str:
    """The token for stars in signs ("★★☆☆☆") or in words ("two stars")."""
    if word := found[1]:
        count = int(word) if word.isdigit() else _IN_WORDS.get(word.lower(), 0)
    else:
        count = min(sum(sign in "★⭐🌟" for sign in found[0]), 5)
    return f" {STARS[count]} "
