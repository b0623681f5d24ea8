"""The headers and dividers above an earlier mail that a mail program puts, unmarked, below an answer."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from workers.insight.attributions import DATE, is_quote_next
from workers.insight.contact_words import EMAIL, word_set
from workers.insight.phrases import DIVIDERS, FORWARDS, HEADERS

__all__ = ["forwarded", "is_groupwise", "original_start"]

_LONGEST_LABEL: Final = 24
_BLOCK_LINES: Final = 14
_LABEL_WORDS: Final = 3
_LONGEST_LINE: Final = 500

_RULE: Final = re.compile(r"[ \t>]{0,4}(?:[-_=*~#—–]{3,}|(?:[-_*] ){3,})[ \t]*$")
# GroupWise: >>> "Ann Lee" <ann@example.com> 10/4/2023 9:17 AM >>>
_GROUPWISE: Final = re.compile(r"[ \t]{0,3}>>> ?[^\s>].{3,200}\d.{0,40}>>>[ \t]*$")
_DASHED: Final = re.compile(r"[ \t>]{0,4}-{4,} ?\S.{0,60}?\S ?-{4,}[ \t]*$")
_LOTUS_DATE: Final = re.compile(r"\s{0,20}(?:\S.{0,80}\bon )?\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4},? {1,4}\d{1,2}:\d{2}\b")
_RULING: Final = "-_=*~>|# \t"
_COLONS: Final = (":", "\uff1a")
_SIGNS: Final = (*_COLONS, "-", "_", "=", "*", "~", ">>>", "ine", "INE")  # one is in each of what is looked for
_WHOLE_DIVIDERS: Final = frozenset(DIVIDERS)
# "Ann Lee <ann@shop.example>", "Ann Lee [mailto:ann@shop.example]": what no form asks for.
_NAMED_ADDRESS: Final = re.compile(r"\S.{0,80}[<\[](?:mailto:)?[^<>\[\]\s@]{1,64}@[^<>\[\]\s]{1,100}[>\]]")
_PROVIDERS: Final = word_set("mail_providers")
_TIME: Final = re.compile(r"\b\d{1,2}[:.h]\d{2}\b")


def original_start(lines: Sequence[str], at: int) -> int | None:
    """Where an original that runs to the mail's end begins, if this line is its divider or one of its headers."""
    line = lines[at]
    if not any(sign in line for sign in _SIGNS):
        return None
    if _is_divider(line, DIVIDERS) or is_groupwise(lines, at):
        return at
    if _DASHED.match(line) and any(_header_kind(after) for after in lines[at + 1 : at + 5]):
        return at
    kind = _header_kind(line) if any(colon in line for colon in _COLONS) else None
    if (kind is None or not _is_header_block(lines, at)) and not _is_foreign_block(lines, at):
        return None
    start = at
    while start > 0 and _is_labelled(lines[start - 1]):
        start -= 1
    if start > 0 and lines[start - 1].strip() and not _is_rule(lines[start - 1]):
        start = at  # what stands right above is no header of a language not known, but text
    while start > 0 and (not lines[start - 1].strip() or _is_rule(lines[start - 1])):
        start -= 1
    if kind is not None and kind != "from":
        return _lotus_start(lines, start)
    while line.startswith("\t") and start > 0 and (not lines[start - 1].strip() or lines[start - 1].startswith("\t")):
        # Lotus Notes indents the sender's company and name as one group.
        start -= 1
    return start


def forwarded(lines: Sequence[str], sender: str | None) -> int | None:
    """Find the message that a mail without a word of its own passes on.

    A divider may say that it is a forward. Outlook puts the same headers above what is forwarded and what is answered:
    there it is a forward if the sender's own house wrote it, as nobody answers himself without a word.

    Args:
        lines: The quoted part of the mail, without quote marks.
        sender: The From header of the mail, None if unknown.

    Returns:
        The line at which the text of that message begins, below its headers; None if nothing is passed on.
    """
    top = next((number for number, line in enumerate(lines) if line.strip() and not _is_rule(line)), None)
    if top is None:
        return None
    headers = next((at for at in range(top, min(top + _BLOCK_LINES, len(lines))) if _is_header(lines, at)), None)
    if headers is None:
        return top + 1 if _is_divider(lines[top], FORWARDS) else None
    body = headers
    while body < len(lines) and lines[body].strip():
        body += 1
    is_forward = _is_divider(lines[top], FORWARDS) or _is_from_house(lines[headers:body], sender)
    return body if is_forward else None


def _is_rule(line: str) -> bool:
    return _RULE.match(line) is not None


def _is_header(lines: Sequence[str], at: int) -> bool:
    return (_header_kind(lines[at]) is not None and _is_header_block(lines, at)) or _is_foreign_block(lines, at)


def _is_from_house(headers: Sequence[str], sender: str | None) -> bool:
    """Whether an address with the sender's own domain, but for those of mail providers, wrote the original."""
    own = EMAIL.search((sender or "")[:1_000])
    wrote = next((line for line in headers if _header_kind(line) == "from"), headers[0] if headers else "")
    theirs = EMAIL.search(wrote)
    if own is None or theirs is None:
        return False
    domain = own[0].rpartition("@")[2].casefold()
    return domain == theirs[0].rpartition("@")[2].casefold() and domain.partition(".")[0] not in _PROVIDERS


def _is_divider(line: str, phrases: tuple[str, ...]) -> bool:
    longest = 240
    text = line[:longest].strip(_RULING).casefold()
    if not text.startswith(phrases):
        return False
    # Dashes around the phrase, or the phrase alone with a colon ("Begin forwarded message:").
    dashes = 4
    if text in _WHOLE_DIVIDERS and "above this line" in text:
        return True
    if sum(line[:longest].count(mark) for mark in "-_=*~") >= dashes:
        return True
    return text.endswith((":", "\uff1a")) and text[:-1].strip() in _WHOLE_DIVIDERS


@lru_cache(maxsize=2_048)
def _header_kind(line: str) -> str | None:
    """Which header a line is (`from`, `date`, `to`, `subject`, `other`), in any language, if it is one."""
    head = line[: _LONGEST_LABEL + 16].lstrip(" \t*_>|\ufeff")
    for colon in _COLONS:
        cut = head.find(colon)
        if 0 < cut <= _LONGEST_LABEL:
            return HEADERS.get(head[:cut].strip(" \t*_\u00a0").casefold())
    return None


def _is_header_block(lines: Sequence[str], at: int) -> bool:
    kinds: set[str] = set()
    addressed = False
    misses = 0
    allowed = 2  # lines that only continue a long header, or blank ones
    for line in lines[at : at + _BLOCK_LINES]:
        kind = _header_kind(line)
        if kind is None:
            misses += 1
            if misses > allowed:
                break
            continue
        misses = 0
        kinds.add(kind)
        addressed = addressed or (kind == "from" and ("@" in line or DATE.search(line) is not None))
    known = kinds - {"other"}
    enough = 3
    if len(known) >= enough or (len(known) == enough - 1 and addressed):
        return True
    return len(kinds) >= enough and {"to", "subject"} <= kinds


def _is_labelled(line: str) -> bool:
    """Whether a line is a short label, a colon and a value, as headers of any language are."""
    label, colon, value = line[:_LONGEST_LINE].strip(" \t*_>").replace("\uff1a", ":").partition(":")
    return (
        bool(colon)
        and len(label) <= _LONGEST_LABEL
        and len(label.split()) <= _LABEL_WORDS
        and label[:1].isalpha()
        and not any(map(str.isdigit, label))
        and value[:2] != "//"
    )


def _is_foreign_block(lines: Sequence[str], at: int) -> bool:
    """Whether headers in a language that is not known begin here: who with an address, a date with a time, and more."""
    line = lines[at]
    if "@" not in line or not _is_labelled(line) or not _NAMED_ADDRESS.search(line):
        return False
    if at > 0 and lines[at - 1].strip() and not _is_rule(lines[at - 1]):
        return False
    block: list[str] = []
    for below in lines[at + 1 : at + _BLOCK_LINES]:
        if not _is_labelled(below):
            break
        block.append(below)
    least = 2
    return len(block) >= least and any(_TIME.search(below) and DATE.search(below) for below in block)


def _lotus_start(lines: Sequence[str], start: int) -> int:
    """Lotus Notes writes the sender and the date without labels above "To:"."""
    at = start - 1
    while at >= 0 and not lines[at].strip():
        at -= 1
    if at < 0:
        return start
    if _header_kind(lines[at]) == "other" or lines[at].strip().casefold().startswith("please respond to"):
        at -= 1
    if at < 0 or not _LOTUS_DATE.match(lines[at]):
        return start
    above = at - 1
    words = len(lines[above].split()) if above >= 0 else 0
    most_words = 5
    if " on " not in lines[at] and 0 < words <= most_words and not lines[above].rstrip().endswith((".", "!", "?")):
        at = above
    return at


def is_groupwise(lines: Sequence[str], at: int) -> bool:
    """Whether a line is GroupWise's attribution of the unmarked original below it."""
    line = lines[at]
    return ">>>" in line[:6] and _GROUPWISE.match(line) is not None and not is_quote_next(lines, at + 1)
