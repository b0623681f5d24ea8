"""Telephone numbers in the lines of a signature, told apart from all the other numbers that stand there."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import phonenumbers

from workers.insight.contact_words import (
    CENTRAL_LABELS,
    FAX_LABELS,
    MOBILE_LABELS,
    NUMBER_LABELS,
    PHONE_LABELS,
)

__all__ = ["Phone", "find_phones"]

_MOST: Final = 12  # candidates looked at: parsing a number is what costs time
_DIGIT: Final = re.compile(r"\d")
_CANDIDATE: Final = re.compile(
    r"(?<![\w.,:/\\$€£¥#-])(?:\+|\(\+?)?\d(?:[\d \u00a0().\u2010-\u2015·/-]{4,26})\d(?![\w%€$£]|[,.]\d|:\d)"
)
# "Tel:713-…", "M:+1 …", "p.908.…", "Office(212)…", "P313.…": a label without a space behind it.
_GLUED: Final = re.compile(
    r"(?<![\w@.])([^\W\d_]{1,12}(?:-[^\W\d_]{1,8})?)"
    r"(?:[.:：]{1,2}(?=\+?\(?\d)|(?=[+(]\+?\d)|(?=\d{2,5}[ ./-]\d{2}))"
)
# "… 0123Mob:+44 …": a label without a space before it.
_GLUED_BEFORE: Final = re.compile(r"(?<=\d{3})([^\W\d_]{1,12})(?=[.:：]?\s{0,2}\+?\(?\d)")
_EXTENSION: Final = re.compile(r"\s*(?:x|ext\.?|extension|-|durchwahl|dw)\s*\d{1,5}\b", re.IGNORECASE)
_LABEL_WORD: Final = re.compile(r"[^\s\d()\[\]|•·,;]+")
_SEGMENTS: Final = re.compile(r"[|•·,;\t]| {3,}")
_PARTS: Final = re.compile(r"[|•·;\t]")
_AFTER: Final = re.compile(r"\s{0,2}\(?(?P<label>[^\W\d_]{1,12})\)?")
_NOT_PHONE: Final = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-](?:(?:19|20)\d\d(?!\d)|\d\d(?![\d ./-]*\d))"  # a date
    r"|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}(?!\d)"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"  # an IP
    r"|\d{4}-\d{4}$"
    r"|(?:19|20)\d\d ?[-–/] ?(?:19|20)?\d\d$"  # a span of years
)
_AMERICAN: Final = re.compile(r"^\(?[2-9]\d\d\)?[ .-]{0,2}[2-9]\d\d[ .-]?\d{4}$")
_CURRENCY: Final = re.compile(r"(?:[$€£¥]|\b(?:eur|usd|gbp|chf|pln|sek))\s*$", re.IGNORECASE)
_LEAST_DIGITS: Final = 7
_MOST_DIGITS: Final = 16

_Kind = Literal["phone", "mobile", "central", "fax", "number", ""]
_LABELS: Final[dict[str, _Kind]] = {
    **dict.fromkeys(NUMBER_LABELS, "number"),
    **dict.fromkeys(PHONE_LABELS, "phone"),
    **dict.fromkeys(CENTRAL_LABELS, "central"),
    **dict.fromkeys(MOBILE_LABELS, "mobile"),
    **dict.fromkeys(FAX_LABELS, "fax"),
}


class Phone(NamedTuple):
    """One telephone number: E.164, whether it is a mobile, how sure that is, and its rank (0 the best)."""

    e164: str
    is_mobile: bool
    confidence: float
    rank: int


def find_phones(lines: Sequence[str], region: str | None, country: str | None = None) -> list[Phone]:
    """Find the telephone numbers in a signature's lines, best first within a line order.

    Args:
        lines: The signature's lines, at most a few hundred characters each.
        region: ISO 3166 country for numbers without a country code; None if unknown.
        country: A second guess at the country, used where `region` gives no number.

    Returns:
        Each number once, in the order of the lines; faxes and numbers that are something else are left out.
        Never raises.
    """
    regions = [code for code in dict.fromkeys(((region or "").upper(), (country or "").upper())) if code]
    found: dict[str, Phone] = {}
    for looked, (digits, kind, alone) in enumerate(_candidates(lines)):
        if looked >= _MOST:
            break
        if found and not regions:
            regions = [code for code in map(_region_of, filter(None, found)) if code][:1]
        phone = _read(digits, kind, tuple(regions), alone=alone)
        if phone is not None:
            found.setdefault(phone.e164, phone)
    return list(found.values())


def _candidates(lines: Sequence[str]) -> Iterator[tuple[str, _Kind, bool]]:
    """Each number that could be a telephone: as written, its label's kind, whether no words precede it."""
    for line in map(_unglued, filter(_DIGIT.search, lines)):
        last = 0
        for match in _CANDIDATE.finditer(line):
            written = match[0].strip(" .-–/(\u00a0")
            digits = sum(map(str.isdigit, written))
            before = line[last : match.start()]
            inherited = last > 0 and not before.strip(" /,;&|•·–-")
            last = match.end()
            if not _LEAST_DIGITS <= digits <= _MOST_DIGITS or _NOT_PHONE.match(written) or _CURRENCY.search(before):
                continue
            kind = _label_before(before)
            if not kind and (after := _AFTER.match(line, match.end())) is not None:
                kind = _LABELS.get(after["label"].casefold(), "")
                kind = "" if kind == "number" else kind
            if kind in {"fax", "number"}:
                continue
            rest = _EXTENSION.sub("", line.replace(match[0], ""))
            letters = sum(map(str.isalpha, _segment(rest if inherited else before)))
            yield written, kind, letters == 0 or not _ends_in_word(before)


def _unglued(line: str) -> str:
    """A line with a space on both sides of each label that had none."""
    line = _GLUED_BEFORE.sub(lambda match: f" {match[0]}" if match[1].casefold() in _LABELS else match[0], line)
    return _GLUED.sub(lambda match: f"{match[0]} " if match[1].casefold() in _LABELS else match[0], line)


def _segment(before: str) -> str:
    return _SEGMENTS.split(before)[-1]


def _ends_in_word(before: str) -> bool:
    segment = _segment(before).strip()
    return bool(segment) and segment[-1].isalnum()


def _label_before(before: str) -> _Kind:
    """The kind of the words right before a number: "Direct dial:" is a phone, "Order no." is not."""
    words = [word.casefold() for word in _LABEL_WORD.findall(_PARTS.split(before)[-1])][-3:]
    kinds: list[_Kind] = []
    for word in words:
        bare = word.rstrip(":.：").lstrip("-–—*_")
        kind = _LABELS.get(word) or _LABELS.get(bare) or _LABELS.get(bare.rstrip(".").replace(".", "")) or ""
        if not kind and "/" in bare:
            kind = next((found for part in bare.split("/") if (found := _LABELS.get(part))), "")
        kinds.append(kind)
    if not kinds:
        return ""
    if "fax" in kinds and kinds[-1] != "phone" and "tel/fax" not in words:
        return "fax" if kinds[-1] in {"fax", "number", ""} else kinds[-1]
    if "number" in kinds and not {"phone", "mobile"} & set(kinds):
        return "number"
    if "mobile" in kinds:
        return "mobile"
    if "central" in kinds:
        return "central"
    return "phone" if "phone" in kinds else ""


def _read(written: str, kind: _Kind, regions: tuple[str, ...], *, alone: bool) -> Phone | None:
    american = _AMERICAN.match(written) is not None
    spaced = any(not char.isdigit() for char in written.lstrip("+"))
    tried = (*regions, "US") if american and not set(regions) & {"US", "CA"} else (*regions, "")
    # Where the number is assigned, it belongs; only if that is nowhere, the first region in which it could be counts.
    possible = [parsed for region in tried if (parsed := _parse(written, region)) is not None]
    for e164, valid, mobile_type in sorted(possible, key=lambda parsed: not parsed[1]):
        international = written.lstrip("(").startswith("+") or written.startswith("00")
        if kind:
            confidence = 0.95 if valid else 0.7 if international else 0.5
        elif not valid and not (alone and spaced and (american or international or written[0] == "0")):
            continue
        elif international:
            confidence = 0.9 if valid else 0.6
        elif spaced and alone:
            confidence = 0.75 if valid else 0.5
        elif alone and written[0] == "0":
            confidence = 0.6
        else:
            continue
        is_mobile = kind == "mobile" or (not kind and mobile_type)
        ranks = {"phone": 0, "mobile": 0, "central": 2}
        return Phone(e164, is_mobile, confidence, ranks.get(kind, 1))
    return None


@lru_cache(maxsize=4_096)
def _parse(written: str, region: str) -> tuple[str, bool, bool] | None:
    """(E.164, whether the number is assigned, whether it is a mobile) of a possible number."""
    abroad = not region and written.startswith("00")  # as it is dialled from most countries
    try:
        number = phonenumbers.parse(f"+{written[2:]}" if abroad else written, region or None)
    except phonenumbers.NumberParseException:
        return None
    kind = phonenumbers.number_type(number)
    valid = kind != phonenumbers.PhoneNumberType.UNKNOWN  # as is_valid_number says, which asks for the type as well
    if not valid and (abroad or not phonenumbers.is_possible_number(number)):
        return None
    mobile = kind == phonenumbers.PhoneNumberType.MOBILE
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), valid, mobile


def _region_of(e164: str) -> str | None:
    return phonenumbers.region_code_for_number(phonenumbers.parse(e164, None))
