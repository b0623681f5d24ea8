"""Take the lines of a signature apart into pieces, and say what a piece can be: an address, a place, a website."""

import re
from collections.abc import Iterator
from typing import Final

from workers.insight.contact_words import (
    FAX_LABELS,
    MOBILE_LABELS,
    NUMBER_LABELS,
    PHONE_LABELS,
    has_legal_form,
    is_post_box,
    is_street_like,
    is_title_like,
    word_set,
    words_of,
)

__all__ = [
    "HOUSE",
    "MARKS",
    "NAME_AND_FORM",
    "NUMBERED",
    "SOCIAL",
    "SPLIT",
    "at_dash",
    "has_code",
    "is_address",
    "is_place",
    "is_registry",
    "is_site",
    "mostly_digits",
    "parts_of",
    "plain",
    "segments_of",
    "without_lead",
    "without_nominals",
    "without_numbers",
]

NAME_AND_FORM: Final = 2  # "Acme, Inc."
_TOP_DOMAINS: Final = word_set("top_domains")
SOCIAL: Final = re.compile(
    r"(?:^|[/.])(?:linkedin|twitter|x|facebook|fb|instagram|youtube|youtu|xing|tiktok|aka|outlook|apple|google|microsoft|avast|calendly|github|gitlab|medium|behance|zoom|whatsapp|wa|t|goo|skype)\.(?:com|me|ms|gl|us|be)(?:/|$)",
    re.IGNORECASE,
)
_MARKDOWN_LINK: Final = re.compile(r"\[([^\]\n]{0,80})\]\(([^)\s]{3,300})\)")
_ANGLE: Final = re.compile(r"<(?:mailto:|tel:)?([^<>\s]{3,200})>")
_TAG: Final = re.compile(r"</?[a-z][^<>@]{0,200}>", re.IGNORECASE)
_SPLIT_BARS: Final = re.compile(r" *[|•·●▪◦¦│‖❘]+ *|\t+| {3,}| +// +")
_DASH: Final = re.compile(r" +[–—] +")
SPLIT: Final = re.compile(f"{_SPLIT_BARS.pattern}|{_DASH.pattern}")
MARKS: Final = " \t*_~`>,;:|•·–—-"
_CODE: Final = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]\d\d ?[A-Z\d]{4}|\d{5,6}|\d{3} \d{3}"
)
_TOWN_AND_CODE: Final = re.compile(
    r"[^\W\d_][^\d:@]{1,40}[ ,–-](?:[A-Z]{1,3} )?\d{3,6}(?:[ -]\d{3,4})?(?:,? [^\d:@]{2,30})?"
)
_LABELS: Final = PHONE_LABELS | MOBILE_LABELS | FAX_LABELS | NUMBER_LABELS
_POSTCODE: Final = re.compile(r"(?:[A-Z]{1,2}-)?\d{4,5} [^\W\d_]{3}|\d{3} \d{2} [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]{3}")
HOUSE: Final = re.compile(
    r"[^\d:@]{3,40} \d{1,4} ?[a-zA-Z]?|\d{1,5}[a-zA-Z]?(?:[-/]\d{1,4}){0,3},? [^\W\d_][^\d:@]{2,50}"
)
NUMBERED: Final = re.compile(r"[^\d]{4,50} (?:No\.? ?|Nr\.? ?|# ?)?\d{1,4}$")
_REGISTRY: Final = word_set("registry")
_COUNTRIES: Final = word_set("countries")
_POST_NOMINALS: Final = word_set("post_nominals")
_BEFORE_COMPANIES: Final = sorted(word_set("before_companies"), key=len, reverse=True)


def plain(line: str) -> str:
    """A line without Markdown, HTML and angle brackets; link targets stay beside their text."""
    line = _MARKDOWN_LINK.sub(r"\1 \2", line)
    line = _ANGLE.sub(lambda match: f" {match[1]}" if match[1] not in line[: match.start()] else "", line)
    line = _TAG.sub(" ", line)
    return line.replace("**", "").replace("\u00a0", " ").replace("\u200b", "").strip(" \t*_>")


def at_dash(text: str) -> tuple[str, str, str]:
    """What stands before the first dash, the dash, and what stands behind it, as str.partition does."""
    dash = _DASH.search(text)
    return (text[: dash.start()], dash[0], text[dash.end() :]) if dash else (text, "", "")


def parts_of(line: str) -> Iterator[str]:
    """A line's parts between bars, bullets and dashes; a dash behind a title stays, as it may join a department."""
    for part in _SPLIT_BARS.split(line):
        if "–" not in part and "—" not in part:
            yield part
            continue
        head, dash, rest = at_dash(part)
        if dash and not _DASH.search(rest) and not any(map(str.isdigit, rest)) and is_title_like(head):
            yield part
        else:
            yield from _DASH.split(part)


def without_lead(text: str) -> str:
    """A company without what stands before it: "for and on behalf of Baird & Lyle LLP"."""
    folded = text.casefold()
    for lead in _BEFORE_COMPANIES:
        if folded.startswith(lead) and folded[len(lead) :].startswith(" ") and len(folded) > len(lead) + 2:
            return text[len(lead) :].strip(MARKS)
    return text


def without_nominals(piece: str) -> str:
    """A name without the qualifications behind it: "Ann Lee, PT, DPT", "Bo Roe RN"."""
    words = piece.split()
    least = 2
    while len(words) > least and _is_nominal(words[-1].strip(",()®™")):
        words.pop()
    return " ".join(words).strip(MARKS)


def _is_nominal(word: str) -> bool:
    folded = word.casefold()
    return (
        word[:1].isupper()
        and word[-1:] not in {"a", "e", "i", "o", "u"}
        and (folded in _POST_NOMINALS or folded.replace(".", "") in _POST_NOMINALS)
    )


def without_numbers(title: str) -> str:
    """A title without a licence behind it: "Branch Manager, NMLS 555987"."""
    head, mark, rest = title.rpartition(",")
    return head.strip(MARKS) if mark and head and (is_registry(rest) or mostly_digits(rest)) else title


def has_code(text: str) -> bool:
    """Whether a piece is a town with its postcode, in either order."""
    return _POSTCODE.match(text) is not None or _TOWN_AND_CODE.fullmatch(text) is not None


def is_place(text: str) -> bool:
    """Whether a piece below a street is a country, a postcode, or a town with its code."""
    if text.casefold().rstrip(".") in _COUNTRIES or _CODE.fullmatch(text):
        return True
    return _TOWN_AND_CODE.fullmatch(text) is not None and words_of(text)[0] not in _LABELS


def segments_of(text: str) -> list[str]:
    """Split at commas, keeping ", Inc." and the like with what they belong to."""
    parts: list[str] = []
    for part in (raw.strip(MARKS) for raw in text.split(",")):
        if parts and len(words_of(part)) <= NAME_AND_FORM and has_legal_form(f"x {part.split(maxsplit=1)[0]}"):
            parts[-1] = (
                f"{parts[-1]}, {part}."
                if part.casefold() in {"inc", "ltd", "corp"} and text.rstrip().endswith(".")
                else f"{parts[-1]}, {part}"
            )
        elif part:
            parts.append(part)
    return parts


def mostly_digits(text: str) -> bool:
    """Whether at least half of a piece's letters and digits are digits."""
    digits = sum(char.isdigit() for char in text)
    return digits > 0 and digits * 2 >= sum(char.isalnum() for char in text)


def is_address(text: str) -> bool:
    """Whether a piece is part of a postal address, and neither a number alone nor a register entry."""
    if not is_street_like(text) or is_registry(text):
        return False
    return not mostly_digits(text) or bool(_POSTCODE.match(text)) or is_post_box(text)


def is_registry(text: str) -> bool:
    """Court, tax and register entries, order numbers, office hours: no field of a contact."""
    folded = text.casefold()
    return any(word in folded for word in _REGISTRY)


def is_site(site: str) -> bool:
    """Whether a bare domain is the sender's website rather than a social network, a company or two words."""
    host = site.partition("/")[0]
    top = host.rpartition(".")[2].casefold()
    if top not in _TOP_DOMAINS or SOCIAL.search(site) or any(has_legal_form(f"x {part}") for part in [host]):
        return False
    name = host.rpartition(".")[0]
    shortest = 3
    return len(name) >= shortest and not name[0].isupper()
