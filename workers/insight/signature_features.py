"""What a line looks like to who searches a signature: yes/no features of the line and of its neighbours."""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final, NamedTuple

from workers.insight.contact_words import (
    COMPANY_WORDS,
    EMAIL,
    URL,
    closing_rest,
    has_legal_form,
    holds_address,
    is_name_like,
    is_street_like,
    is_title_like,
    sender_tokens,
    word_set,
    words_of,
)
from workers.insight.footers import RULER
from workers.insight.phrases import ANSWERS

__all__ = ["LONGEST_LINE", "NUMBER", "STOPWORDS", "is_office", "is_prose", "line_features", "shape_of"]

LONGEST_LINE: Final = 400
_TAIL: Final = 18  # lines with text; longer signatures are rare and a longer tail finds prose instead
_PARAGRAPH: Final = 3  # lines of prose in a row that no signature holds
# Splitting a mail and reading its signature look at the same lines, and so do a sender's next mails.
_REMEMBERED: Final = 4_096

NUMBER: Final = re.compile(
    r"(?=[+(\dx☎📞📱])"  # what a number begins with: asked first, it spares trying each form at each letter
    r"(?:(?<![\w/.,$€£-])(?:\+|\(?0|\(?\d{3}\)?[ .-])[\d ().\u00a0/-]{5,20}\d\b|\bx-?\d{4,6}\b|☎|📞|📱)"
)
STOPWORDS: Final = word_set("stopwords")
_DIGIT: Final = re.compile(r"\d")
_FIGURE_SIGN: Final = re.compile(r"[$€£=\\]")
_NAME_PARTS: Final = re.compile(r"[.'’_-]")
_LIST: Final = re.compile(r"\s*(?:[-*•·Ø+]\s+\S|\d{1,2}[.)]\s|\(?[a-z]\)\s)")


def is_prose(line: str) -> bool:
    """Say whether a line reads like a sentence rather than like a detail of a signature."""
    shown = line[:LONGEST_LINE]
    return bool(shown.strip()) and "prose" in shape_of(shown)


def line_features(shown: Sequence[tuple[int, str]], lines: Sequence[str], sender: str | None) -> list[tuple[str, ...]]:
    """Describe the last lines with text by named yes/no features.

    Args:
        shown: (line number, line) of every line with text, ascending.
        lines: All lines of the mail, for the blank ones between.
        sender: As in the From header, or None.

    Returns:
        One tuple of feature names per line of the tail, in order: at most eighteen.
    """
    tail = shown[_tail_start(shown) :]
    people = sender_tokens(sender)
    looks = [_named(_look(line, people)) for _, line in tail]
    rows: list[tuple[str, ...]] = []
    for index, (number, line) in enumerate(tail):
        look = looks[index]
        from_end = len(tail) - 1 - index
        row = ["bias", _FROM_END[from_end], *look.own]
        blank_before = number > 0 and not lines[number - 1].strip()
        blank_after = number + 1 < len(lines) and not lines[number + 1].strip()
        row.append(_BLANK[blank_before, blank_after and from_end > 0])
        if len(shown) - len(tail) + index == 0:
            row.append("first_line")
            if line.rstrip().endswith((",", ":")):
                row.append("greeting")
        above = looks[index - 1].above if index else ()
        row += above
        if from_end:
            row += looks[index + 1].below
        else:
            row += look.last
            if "name" in look.own and blank_before:
                row.append("name_alone")
            elif "name" in look.own and "above:name" in above and "sender" not in look.own:
                row.append("name_list")
        rows.append(tuple(row))
    return rows


def _bucket(value: int, bounds: tuple[int, ...]) -> int:
    """The highest of the ascending bounds that the value reaches."""
    return bounds[bisect(bounds, value) - 1]


_FROM_END: Final = tuple(f"from_end={_bucket(lines, (0, 1, 2, 3, 5, 8, 12))}" for lines in range(_TAIL))
_BLANK: Final = {(above, below): f"blank={above:d}{below:d}" for above in (False, True) for below in (False, True)}


def _tail_start(shown: Sequence[tuple[int, str]]) -> int:
    """Where the tail begins that may hold a signature: none reaches up through a paragraph of prose."""
    prose = 0
    for index in range(len(shown) - 1, max(0, len(shown) - _TAIL) - 1, -1):
        prose = prose + 1 if "prose" in shape_of(shown[index][1]) else 0
        if prose == _PARAGRAPH:
            return index
    return max(0, len(shown) - _TAIL)


_NEAR: Final = frozenset(
    [
        "closing",
        "closing_name",
        "name",
        "signed",
        "sender",
        "sender_only",
        "prose",
        "contact",
        "title",
        "company",
        "list",
        "tabular",
    ]
)


class _Named(NamedTuple):
    """What a line looks like, as features of its own, of the line below it and above it, and as the last line."""

    own: tuple[str, ...]
    above: tuple[str, ...]
    below: tuple[str, ...]
    last: tuple[str, ...]


@lru_cache(maxsize=_REMEMBERED)
def _named(look: frozenset[str]) -> _Named:
    near = sorted(look & _NEAR)
    above, below, last = (tuple(f"{place}:{name}" for name in near) for place in ("above", "below", "last"))
    return _Named(tuple(sorted(look)), above, below, last)


def _look(line: str, people: frozenset[str]) -> frozenset[str]:
    """What one line looks like to who knows the sender, whatever stands around it."""
    shape = shape_of(line)
    if not people:
        return shape
    line = _without_kisses(line)
    words = words_of(line)
    # "Steph" for Stephanie counts in a short line; in prose it would make Andrea of every "and".
    brief, shortest = 4, 3
    folded = line.casefold()
    if len(words) > brief and not any(name in folded for name in people):
        return shape
    parts = [part for word in words for part in ((word,) if word.isalpha() else _NAME_PARTS.split(word)) if part]
    if len(parts) > brief and people.isdisjoint(parts):
        return shape
    nickname = shortest if len(parts) <= brief else len(line)
    named = [
        word
        for word in parts
        if word in people or (len(word) >= nickname and any(map(str.startswith, people, repeat(word))))
    ]
    if named:
        whole = len(named) >= len([word for word in parts if len(word) > 1])
        return shape | ({"sender", "sender_only"} if whole else {"sender"})
    return shape | {"initials"} if _initials(line.strip(), people) else shape


_NO_LETTER: Final = re.compile(r"[\W\d_]")
_KISSES: Final = re.compile(r"[ ,.][xX]{1,3}\.?\s*$")


def _without_kisses(line: str) -> str:
    return _KISSES.sub("", line) if line.rstrip(" .").endswith(("x", "X")) else line


@lru_cache(maxsize=_REMEMBERED)
def shape_of(line: str) -> frozenset[str]:
    """What one line looks like by itself; it must not be blank."""
    text = line.strip()
    words = words_of(text)
    return frozenset([*_person_shape(text, words), *_detail_shape(text), *_sentence_shape(text, words), *_layout(line)])


def _person_shape(text: str, words: Sequence[str]) -> Iterator[str]:
    rest = closing_rest(text)
    if rest is not None:
        yield "closing" if not rest else "closing_name" if is_name_like(rest) else "closing_prose"
        if not rest and text.endswith(","):
            yield "closing_comma"
    longest_suffix = 3  # "Jr."
    sentence = text.endswith((".", "!")) and len(words) == 1 and len(text) > longest_suffix
    if rest != "" and is_name_like(text) and not sentence and not set(words) <= ANSWERS:
        yield "name"
        yield f"name_words={min(len(words), 4)}"
    if _is_signed_line(text):
        yield "signed"


def _detail_shape(text: str) -> Iterator[str]:
    if holds_address(text):
        yield from ("email", "contact")
    if ("://" in text or "www." in text.lower()) and URL.search(text):
        yield "url"
    numbered = _DIGIT.search(text) is not None
    if (numbered or not text.isascii()) and NUMBER.search(text):
        yield from ("phone", "contact")
    elif numbered:
        yield "digits"
    if numbered and is_street_like(text):
        yield "street"
    short = 60
    if len(text) < short and text[-1] not in ".?!" and is_title_like(text) and not is_office(text):
        yield "title"
    if len(text) < short and has_legal_form(text):
        yield "company"


def is_office(text: str) -> bool:
    """Whether a line says who holds an office ("President: Howard Lim"): nobody signs like that."""
    office, colon, holder = text.partition(":")
    return bool(colon and holder.strip()) and len(_PARTS.split(office)) == 1 and is_title_like(office)


def _sentence_shape(text: str, words: Sequence[str]) -> Iterator[str]:
    stop = sum(map(STOPWORDS.__contains__, words))
    if stop:
        yield _STOPS[min(stop, 3)]
    few = 4
    spaceless = 10  # a Chinese or Japanese sentence is one word
    if (len(words) > few and (stop > 1 or text[-1] in ".?!")) or (len(text) > spaceless and text[-1] in "。？！"):
        yield "prose"
    if text[-1] in _ENDS:
        yield _ENDS[text[-1]]
    if text[0].islower():
        yield "lower"


_STOPS: Final = tuple(f"stopwords={count}" for count in range(4))
_ENDS: Final = {"?": "asks", "!": "asks", ".": "stops", ":": "announces", "。": "stops", "？": "asks"}


def _layout(line: str) -> Iterator[str]:
    text = line.strip()
    if " | " in text or " • " in text or " · " in text:
        yield "segments"
    if _LIST.match(line):
        yield "list"
    if "\t" in text or "   " in text:
        yield "tabular"
    if _FIGURE_SIGN.search(text):
        yield "figures"
    if RULER.match(line):
        yield "ruler"
    yield f"length={_bucket(len(text), (0, 12, 25, 40, 60, 90))}"


def _is_signed_line(text: str) -> bool:
    """Whether a line gives a name and, after a bar or a comma, what it is the name of."""
    partings = [at for at in map(text.find, _PARTINGS) if at >= 0]
    if not partings:
        return False
    first = text[: min(partings)].strip()
    if first and not is_name_like(first):
        return False
    parts = [part for part in _PARTS.split(text, maxsplit=4) if part.strip()]
    return (
        len(parts) > 1
        and is_name_like(parts[0])
        and len(parts[0].split()) > 1
        and any(
            is_title_like(part)
            or has_legal_form(part)
            or COMPANY_WORDS & set(words_of(part))
            or EMAIL.search(part)
            or NUMBER.search(part)
            for part in parts[1:]
        )
    )


_PARTS: Final = re.compile(r" *[|•·] *| [–—/-] |, |\t+| {3,}")
_PARTINGS: Final = ("|", "•", "·", " – ", " — ", " / ", " - ", ", ", "\t", "   ")  # one is in what that matches


def _initials(text: str, people: frozenset[str]) -> bool:
    longest = 3
    if len(text) > longest + 3:
        return False
    letters = _NO_LETTER.sub("", _without_kisses(text)).casefold()
    return 0 < len(letters) <= longest and {*letters} <= {name[0] for name in people}
