"""Take the lines of a signature apart into pieces that could each be a field."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from workers.insight.contact_words import closing_rest, has_legal_form, is_title_like, word_set, words_of
from workers.insight.signature_links import without_links

__all__ = [
    "MARKS",
    "NAME_AND_FORM",
    "SPLIT",
    "at_dash",
    "is_registry",
    "mostly_digits",
    "pieces_of",
    "plain",
    "segments_of",
    "without_lead",
    "without_nominals",
    "without_numbers",
    "without_pronouns",
]

NAME_AND_FORM: Final = 2  # "Acme, Inc."
_MARKDOWN_LINK: Final = re.compile(r"\[([^\]\n]{0,80})\]\(([^)\s]{3,300})\)")
_ANGLE: Final = re.compile(r"<(?:mailto:|tel:)?([^<>\s]{3,200})>")
_TAG: Final = re.compile(r"</?[a-z][^<>@]{0,200}>", re.IGNORECASE)
_ODD_SPACE: Final = re.compile(r"[^\S\t ]")  # no-break, ideographic and the like
_SPLIT_BARS: Final = re.compile(r" *[|•·●▪◦¦│‖❘]+ *|\t+| {3,}| +// +")
_DASH: Final = re.compile(r" +[–—] +")
SPLIT: Final = re.compile(f"{_SPLIT_BARS.pattern}|{_DASH.pattern}")
MARKS: Final = " \t*_~`>,;:|•·–—-"
# A label that is also a word needs its colon: "Site Manager", "In House Counsel", "Address Data Analyst".
_LABEL: Final = re.compile(
    r"^(?:e|w|a|in|e-?mail|mail|web|website|webseite|url|site|internet|homepage|address|adresse|anschrift|adres|adress"
    r"|direcci[oó]n|indirizzo|name|title|position|company|linkedin|courriel|correo|s[ií]tio)\s*[:：]\s*"
    r"|^[ewa@][.)\]]\s+|^(?:a|address|adresse|anschrift|adres|adress)\s+(?=\d)|^[@✉🌐📧🏢📍🔗]\ufe0f?\s*",
    re.IGNORECASE,
)
_BARE_LABELS: Final = frozenset({"linkedin", "website", "web", "e", "w", "email", "e-mail", "mail"})
_PRONOUNS: Final = re.compile(r"\s*\((?:she|he|they|sie|er|elle|il)[/ ,]{1,3}[^)]{1,20}\)", re.IGNORECASE)
_REGISTRY: Final = word_set("registry")
_POST_NOMINALS: Final = word_set("post_nominals")
_BEFORE_COMPANIES: Final = sorted(word_set("before_companies"), key=len, reverse=True)


@lru_cache(maxsize=2_048)
def plain(line: str) -> str:
    """A line without Markdown, HTML and angle brackets; link targets stay beside their text."""
    line = _MARKDOWN_LINK.sub(r"\1 \2", line)
    line = _ANGLE.sub(lambda match: f" {match[1]}" if match[1] not in line[: match.start()] else "", line)
    line = _ODD_SPACE.sub(" ", _TAG.sub(" ", line))
    return line.replace("**", "").replace("\u200b", "").strip(" \t*_>")


def at_dash(text: str) -> tuple[str, str, str]:
    """What stands before the first dash, the dash, and what stands behind it, as str.partition does."""
    dash = _DASH.search(text)
    return (text[: dash.start()], dash[0], text[dash.end() :]) if dash else (text, "", "")


def pieces_of(line: str) -> Iterator[str]:
    """The parts of a line that could be a field of their own, without contact details and labels."""
    rest = closing_rest(line)
    for raw in _parts(without_links(line if rest is None else rest)):
        piece = " ".join(_LABEL.sub("", raw.strip(" \t*_~`>|")).strip(MARKS).split())
        if piece and piece.casefold() not in _BARE_LABELS:
            yield piece


def without_pronouns(text: str) -> str:
    """A text without how its writer wants to be spoken of: "Ida Holt (she/her)"."""
    return _PRONOUNS.sub("", text) if "(" in text else text


def _parts(line: str) -> Iterator[str]:
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


def segments_of(text: str) -> list[str]:
    """Split at commas, keeping ", Inc." and the like with what they belong to."""
    parts: list[str] = []
    for part in (raw.strip(MARKS) for raw in text.split(",")):
        if not part:
            continue
        if parts and len(words_of(part)) <= NAME_AND_FORM and has_legal_form(f"x {part.split(maxsplit=1)[0]}"):
            dot = "." if part.casefold() in {"inc", "ltd", "corp"} and text.rstrip().endswith(".") else ""
            parts[-1] = f"{parts[-1]}, {part}{dot}"
        else:
            parts.append(part)
    return parts


def mostly_digits(text: str) -> bool:
    """Whether at least half of a piece's letters and digits are digits."""
    digits = sum(map(str.isdigit, text))
    return digits > 0 and digits * 2 >= sum(map(str.isalnum, text))


@lru_cache(maxsize=2_048)
def is_registry(text: str) -> bool:
    """Court, tax and register entries, order numbers, office hours: no field of a contact."""
    folded = text.casefold()
    return any(word in folded for word in _REGISTRY)
