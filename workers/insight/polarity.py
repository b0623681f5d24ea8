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

MAX_CHARS = 4_000
"""How much of a text is read; the opinion of a customer's reply stands in its first paragraphs."""

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
_STRETCHED = re.compile(r"(\w)\1{2,}")
_GLAD_MOUTHS = frozenset(")]DPp")
_SUFFIXES = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
_IRREGULAR = {"won't": "will", "can't": "can", "shan't": "shall", "ain't": "is"}
_BARE = {
    "cannot": "can", "cant": "can", "dont": "do", "doesnt": "does", "didnt": "did", "isnt": "is", "wasnt": "was",
    "werent": "were", "wont": "will", "wouldnt": "would", "couldnt": "could", "shouldnt": "should", "aint": "is",
    "hasnt": "has", "havent": "have", "hadnt": "had", "arent": "are",
}  # fmt: skip
_NEGATORS = frozenset(
    "not no never nobody nothing none neither nor without hardly barely scarcely rarely seldom lacks lacked zero"
    .split()
)  # fmt: skip
_CONTRAST = frozenset(["but", "however", "though", "yet", "nevertheless", "unfortunately", "sadly", "except"])
_NOT_NEGATING = frozenset([("no", "wonder"), ("not", "only"), ("no", "doubt"), ("no", "matter"), ("not", "just")])
_SCOPE = 4
_ENDS_SCOPE = frozenset(".;:!?\n()")
_ENDS_SENTENCE = frozenset(".!?\n")
_EMPHASIS = {
    "very": 1.3, "really": 1.3, "so": 1.2, "extremely": 1.5, "absolutely": 1.5, "incredibly": 1.5, "totally": 1.4,
    "completely": 1.4, "highly": 1.3, "too": 1.2, "super": 1.3, "truly": 1.3, "especially": 1.2, "beyond": 1.3,
    "slightly": 0.6, "somewhat": 0.6, "bit": 0.7, "little": 0.8, "fairly": 0.8, "kinda": 0.7,
}  # fmt: skip
_OPENERS = frozenset(
    "great wonderful fantastic brilliant awesome lovely nice perfect super excellent terrific fabulous".split()
)
_INTERJECTIONS = frozenset(["oh", "yeah", "well", "just", "ah", "wow", "<user>", "how"])
OPENER = "<opener>"
"""Stands for a lone word of praise that opens a message; before a complaint it is meant as irony."""
_OPENER_VALUE = 2.5
_IRONY_VALUE = -1.5
_SHOUT = 1.3
_SHORTEST_SHOUT = 3
_BEFORE_CONTRAST = 0.5
_AFTER_CONTRAST = 1.4
_LONGEST_PHRASE = 4
_NEGATED_SHARE = 0.6


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
    """Read the first :data:`MAX_CHARS` characters as weighted tokens; never raises, linear in what is read."""
    text = _NOISE.sub(" ", text[:MAX_CHARS].translate(_APOSTROPHES))
    all_capitals = text.isupper()
    tokens: list[Token] = []
    sentence = 0  # index of the first token of the sentence
    after = 1.0
    scope = 0
    emphasis = 1.0
    previous = ""
    for match in _TOKEN.finditer(text):
        kind, raw = match.lastgroup, match.group()
        if kind == "stop":
            marks = set(raw)
            if tokens and len(tokens) <= 2 and tokens[-1].text in _OPENERS and not tokens[-1].negated:  # noqa: PLR2004
                if len(tokens) == 1 or tokens[0].text in _INTERJECTIONS:
                    tokens[-1] = tokens[-1]._replace(text=OPENER)
            if marks & _ENDS_SCOPE:
                scope = 0
            if "!" in marks or "?" in marks:
                tokens.append(Token("?!" if {"!", "?"} <= marks else ("!" if "!" in marks else "?"), False, 1.0))  # noqa: FBT003
            if marks & _ENDS_SENTENCE:
                sentence = len(tokens)
                after = 1.0
            continue
        weight = emphasis * after
        if kind == "word" and len(raw) >= _SHORTEST_SHOUT and not all_capitals and raw.isupper():
            weight *= _SHOUT
        emphasis = 1.0
        for word in _words(kind, raw):
            if word in _CONTRAST:
                # What follows the "but" is what the writer means.
                tokens[sentence:] = [t._replace(weight=t.weight * _BEFORE_CONTRAST) for t in tokens[sentence:]]
                sentence = len(tokens)
                after = _AFTER_CONTRAST
                scope = 0
            tokens.append(Token(word, scope > 0, weight))
            scope = _SCOPE if word in _NEGATORS else max(0, scope - 1)
            if (previous, word) in _NOT_NEGATING:
                scope = 0
            emphasis = _EMPHASIS.get(word, 1.0)
            previous = word
    return tokens


def _words(kind: str | None, raw: str) -> tuple[str, ...]:
    """The words that one match stands for: "won't" is "will" and "not"."""
    if kind == "face":
        glad = raw in {"<3", "^^", "^_^"} or raw[0] == "(" or (raw[0] not in ")(" and raw[-1] in _GLAD_MOUTHS)
        return (":)",) if glad else (":(",)
    if kind == "link":
        return ("<link>",)
    if kind == "user":
        return ("<user>",)
    if kind == "number":
        return ("0",)
    word = raw.lower()
    if word in _BARE:
        return (_BARE[word], "not")
    if "'" in word:
        if word.endswith("n't"):
            return (_IRREGULAR.get(word, word[:-3]), "not")
        stem, _, suffix = word.partition("'")
        return (stem, _SUFFIXES.get("'" + suffix, "'" + suffix))
    return (_STRETCHED.sub(r"\1\1", word),)


FIGURES = 14
"""How many numbers :func:`figures` returns."""


def figures(tokens: list[Token], prior: Mapping[str, float]) -> list[float]:
    """Describe the polarity of a message in :data:`FIGURES` numbers, each roughly within -2..2.

    Args:
        tokens: from :func:`tokenize`.
        prior: polarity of single words, -4..4, for those the hand-written lexicon does not know.
    """
    words, phrases = lexicon()
    good = bad = denied_good = denied_bad = phrase_good = phrase_bad = 0.0
    highest = lowest = last = 0.0
    exclaims = asks = position = 0
    opened = False
    while position < len(tokens):
        text, negated, weight = tokens[position]
        length, value = _phrase_at(tokens, position, phrases)
        if length:
            value *= weight
            if value > 0:
                phrase_good += value
            else:
                phrase_bad -= value
            position += length
        else:
            position += 1
            exclaims += text == "!"
            asks += text in {"?", "?!"}
            opened = opened or text == OPENER
            value = words[text] if text in words else prior.get(text, 0.0)
            if not value:
                continue
            value *= weight
            if negated:
                if value > 0:
                    denied_good += value
                else:
                    denied_bad -= value
                value *= -_NEGATED_SHARE
            elif value > 0:
                good += value
            else:
                bad -= value
        if value > highest:
            highest = value
        elif value < lowest:
            lowest = value
        last = value
    if opened and lowest < _IRONY_VALUE / 2 and highest < -lowest:
        phrase_bad -= _IRONY_VALUE
        lowest = min(lowest, _IRONY_VALUE)
    elif opened:
        good += _OPENER_VALUE
        highest = max(highest, _OPENER_VALUE)
    root = max(len(tokens), 1) ** 0.5
    total = good - bad - _NEGATED_SHARE * (denied_good - denied_bad) + phrase_good - phrase_bad
    return [
        good / root / 2,
        bad / root / 2,
        denied_good / root,
        denied_bad / root,
        phrase_good / root / 2,
        phrase_bad / root / 2,
        highest / 3,
        lowest / 3,
        last / 3,
        2 * total / (total * total + 15) ** 0.5,
        min(exclaims, 3) / 3,
        min(asks, 2) / 2,
        root / 5,
        float(highest < 0.5 and lowest > -0.5),
    ]


def _phrase_at(
    tokens: list[Token], position: int, phrases: Mapping[tuple[str, ...], float]
) -> tuple[int, float]:
    """Length and polarity of the longest known phrase that starts here, else (0, 0.0)."""
    window = tuple(token.text for token in tokens[position : position + _LONGEST_PHRASE])
    for length in range(len(window), 1, -1):
        if window[:length] in phrases:
            return length, phrases[window[:length]]
    return 0, 0.0
