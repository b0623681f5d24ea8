"""Find the lines that programs add below a mail: device notes, virus scanners, mailing lists, legal notices."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from workers.insight.phrases import (
    CONFIDENTIAL,
    DEVICE_PROSE,
    DEVICE_WORDS,
    DEVICES,
    FOOTER_BEGINS,
    FOOTERS,
    NOTICE_WORDS,
    TRACKERS,
)

__all__ = ["DELIMITER", "RULER", "footer_start", "is_picture"]

DELIMITER: Final = re.compile(r"\s{0,4}(?:--|—|– ?–|-- ?\*)[ \t]*$")  # what announces a signature
RULER: Final = re.compile(r"\s{0,4}[-_=*~]{3,}[ \t]*$")
_LONGEST_LINE: Final = 400
_LONGEST_PARAGRAPH: Final = 18  # lines
_LAST_LINES: Final = 60
# What trackers leave behind: Streak's dot, characters without width, and their pictures.
_UNSEEN: Final = "\u1427\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u180e"
_TRACES: Final = re.compile(rf"[\s{_UNSEEN}]+")
_PICTURE: Final = re.compile(
    r"[\[<(](?:cid|image|inline image|img|logo|photo|picture|banner|bild|grafik)\b[^\]>)]{0,120}[\]>)]$", re.IGNORECASE
)
_FIRST_WORDS: Final = {phrase.split()[0] for phrase in DEVICES}
_OPENING: Final = frozenset("[<(")
_DEVICES_BY_WORD: Final = {word: [phrase for phrase in DEVICES if phrase.split()[0] == word] for word in _FIRST_WORDS}
_WORDS: Final = re.compile(r"[\w.'’-]+")
_BRACKETS: Final = re.compile(rf"[\[\]<>(){_UNSEEN}]+")


def footer_start(lines: Sequence[str]) -> int:
    """Where the lines begin that programs add below a mail: device notes, virus scanners, legal notices.

    Returns:
        A line number; `len(lines)` if there is no such footer. Blank lines above the footer belong to it.
    """
    end = len(lines)
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    last = end
    while end > 0 and (not lines[end - 1].strip() or DELIMITER.match(lines[end - 1])):
        end -= 1
    while end > max(0, last - _LAST_LINES):
        paragraph = end
        while paragraph > 0 and lines[paragraph - 1].strip() and end - paragraph < _LONGEST_PARAGRAPH:
            paragraph -= 1
        kept = end
        while kept > paragraph and (_TRACES.fullmatch(lines[kept - 1]) or _is_footer_line(lines[kept - 1])):
            kept -= 1
        if kept == end:
            kept = min(_notice_start(lines, paragraph, end), _tracker_start(lines, paragraph, end))
        if kept == end:
            break
        end = kept
        while end > 0 and (
            not lines[end - 1].strip() or DELIMITER.match(lines[end - 1]) or RULER.match(lines[end - 1])
        ):
            end -= 1
        if end > paragraph:
            break
    return end if end < last else len(lines)


def is_picture(line: str) -> bool:
    """Say whether a line only stands for a picture: "[cid:image001.png@01DB]", "[image: logo]"."""
    text = line.strip()
    return text[:1] in _OPENING and _PICTURE.match(text) is not None


def _tracker_start(lines: Sequence[str], paragraph: int, end: int) -> int:
    """Where a tracker's notice begins that ends a paragraph: its picture, its links and its name; else `end`."""
    start = next((number for number in range(paragraph, end) if is_picture(lines[number])), end)
    if start == end:
        return end
    folded = " ".join(lines[start:end]).casefold()
    return start if any(name in folded for name in TRACKERS) else end


@lru_cache(maxsize=4_096)
def _is_footer_line(line: str) -> bool:
    text = " ".join(_BRACKETS.sub("", line[:_LONGEST_LINE]).strip(" \t*_-–—").casefold().split())
    longest = 160
    if not text or len(text) > longest:
        return False
    if any(phrase in text for phrase in FOOTERS) or text.startswith(FOOTER_BEGINS):
        return True
    few = 12
    words = _WORDS.findall(text)
    if len(words) > few and "http" not in text:
        return False
    if _names_device(text, words) or _names_list(text, words):
        return True
    brief = 7
    if text.startswith("sent from ") and len(words) <= brief and text[-1] not in ".?!:,":
        return True
    return (words[-2:] == ["from", "mobile"] or words[:2] == ["get", "outlook"]) and len(words) <= few


_WISHES: Final = frozenset(
    ["my", "your", "our", "from", "off", "remove", "unsubscribe", "join", "please", "stop", "any"]
)


def _names_list(text: str, words: Sequence[str]) -> bool:
    """Whether a line only names a mailing list ("Example-users mailing list"); a wish to leave one is text."""
    most_words = 5
    return text.endswith(" mailing list") and len(words) <= most_words and _WISHES.isdisjoint(words)


def _names_device(text: str, words: Sequence[str]) -> bool:
    likely = [phrases for word, phrases in _DEVICES_BY_WORD.items() if word in text]
    for phrase in filter(text.__contains__, chain.from_iterable(likely)):
        # A device is named, or the phrase is one that only programs use: "Sent from my warehouse" is prose.
        if text.startswith(phrase) and not phrase.startswith(DEVICE_PROSE):
            return True
        if any(word in DEVICE_WORDS or word.rstrip(".").endswith(("phone", "pad")) for word in words):
            return True
    return False


def _notice_start(lines: Sequence[str], paragraph: int, end: int) -> int:
    """Where a legal notice begins that ends a paragraph, its lines long but the last; else `end`."""
    long = 45
    start = end - 1
    while start > paragraph and len(lines[start - 1]) >= long:
        start -= 1
    return start if _is_notice(" ".join(lines[start:end])[:1_500]) else end


@lru_cache(maxsize=256)
def _is_notice(text: str) -> bool:
    least = 60
    if len(text) < least:
        return False
    folded = text.casefold()
    return any(word in folded for word in NOTICE_WORDS) and any(phrase in folded for phrase in CONFIDENTIAL)
