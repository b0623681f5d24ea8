"""Merge found contact details into a contact: fill what is empty, record what differs, overwrite nothing."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypedDict
from urllib.parse import unquote

import phonenumbers

from workers.insight.contact_values import CONTACT_FIELDS, fits
from workers.insight.phrases import load

__all__ = ["Conflict", "Merge", "merge_contact", "same_value"]

# A longer value is no contact field; comparing it literally keeps every comparison cheap.
_LONGEST_COMPARED: Final = 1_000

_FORMS: Final = load("legal_forms")
_LEGAL_WORDS: Final = frozenset(_FORMS["words"])
_LEGAL_JOINERS: Final = frozenset(_FORMS["joiners"])
_LONGEST_FORM: Final = 3  # words: "sp. z o.o."


class Conflict(TypedDict):
    """One field whose found value differs from the value the contact has."""

    field: str
    current: str
    proposed: str
    source: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What merging would change.

    Attributes:
        fill: Safe to write.
        conflicts: For a person to decide.
        refused: The fields whose found value is none: no title, no number, no address.
    """

    fill: dict[str, str]
    conflicts: tuple[Conflict, ...]
    refused: tuple[str, ...]


def merge_contact(
    current: Mapping[str, str | None],
    proposed: Mapping[str, str | None],
    source: str,
    region: str | None = None,
    *,
    certain: bool = True,
) -> Merge:
    """Decide which found fields fill a contact and which contradict it.

    A field the contact lacks (missing, None or blank) is filled with the trimmed found value. A field it has
    is never changed: an equal value says nothing, a different one becomes a conflict with the source. A value without
    the shape of its field is neither: nobody should have to decide about it.

    Args:
        current: The contact's fields; any mapping, other keys than `CONTACT_FIELDS` are not looked at.
        proposed: The found fields; blank values and keys outside `CONTACT_FIELDS` are ignored.
        source: Where the values come from, kept in each conflict (`email_signature`, `apollo`, …).
        region: ISO 3166 country for phone numbers written without one, the tenant's; None if unknown.
        certain: Whether it is this contact whom the values are about. If not (two contacts have the address that
            they were found by), nothing is filled: what would be is a conflict with an empty current value.

    Returns:
        A `Merge` whose parts have no field in common, each in the order of `CONTACT_FIELDS`.
        Never raises for string values, and never proposes to overwrite or to empty a field.
    """
    fill: dict[str, str] = {}
    conflicts: list[Conflict] = []
    refused: list[str] = []
    for field in CONTACT_FIELDS:
        found = _clean(proposed.get(field))
        known = _clean(current.get(field))
        if not found or same_value(field, known, found, region):
            continue
        if not fits(field, found):
            refused.append(field)
        elif certain and not known:
            fill[field] = found
        else:
            conflicts.append({"field": field, "current": known, "proposed": found, "source": source})
    return Merge(fill, tuple(conflicts), tuple(refused))


def _clean(value: str | None) -> str:
    return value.strip() if isinstance(value, str) else ""


def same_value(field: str, known: str, found: str, region: str | None = None) -> bool:
    """Tell whether two values of a contact's field say the same; the comparison that a merge uses.

    Args:
        field: One of `CONTACT_FIELDS`.
        known: One value, trimmed.
        found: The other.
        region: ISO 3166 country for phone numbers written without one; None if unknown.
    """
    if known == found:
        return True
    if max(len(known), len(found)) > _LONGEST_COMPARED:
        return False
    if field in {"phone", "mobile"}:
        return _same_phone(known, found, region)
    key = _KEYS[field]
    return key(known) == key(found)


def _folded(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _title_key(value: str) -> str:
    return "".join(_folded(value).split())


def _name_key(value: str) -> str:
    return _trim(_folded(value))


def _company_key(value: str) -> str:
    words = _trim(_folded(value).replace(",", " ")).split()
    while len(words) > 1:
        if words[-1] in _LEGAL_JOINERS:
            words.pop()
            continue
        form = next((n for n in range(_LONGEST_FORM, 0, -1) if _is_form(words[-n:]) and n < len(words)), 0)
        if not form:
            break
        del words[-form:]
    return _trim(" ".join(words))


def _is_form(words: list[str]) -> bool:
    return _trim(" ".join(words)) in _LEGAL_WORDS


def _trim(value: str) -> str:
    """Strip what surrounds a name: spaces, and anything Unicode calls punctuation."""
    start, end = 0, len(value)
    while start < end and _is_edge(value[start]):
        start += 1
    while end > start and _is_edge(value[end - 1]):
        end -= 1
    return value[start:end]


def _is_edge(char: str) -> bool:
    return char in " |`" or unicodedata.category(char)[0] == "P"


def _linkedin_key(value: str) -> str:
    url = re.split(r"[?#]", _folded(value), maxsplit=1)[0]
    url = re.sub(r"^(?:https?:)?//", "", url)
    # www.linkedin.com, de.linkedin.com and linkedin.com are one site.
    url = re.sub(r"^[a-z]{2,3}\.(?=linkedin\.com)", "", url)
    return unquote(url).rstrip("/")


_KEYS: Final[dict[str, Callable[[str], str]]] = {
    "first_name": _name_key,
    "last_name": _name_key,
    "title": _title_key,
    "company": _company_key,
    "email": _folded,
    "linkedin_url": _linkedin_key,
}


def _same_phone(known: str, found: str, region: str | None) -> bool:
    one, two = _parse(known, region), _parse(found, region)
    # Without a tenant's region, or with a number that is none there, the country the other names is the
    # best reading: "030 123456" beside "+49 30 123456" is the same telephone.
    if one is not None and two is None:
        two = _parse(found, phonenumbers.region_code_for_number(one))
    elif two is not None and one is None:
        one = _parse(known, phonenumbers.region_code_for_number(two))
    if one is None or two is None:
        return _digits(known) == _digits(found) != ""
    e164 = phonenumbers.PhoneNumberFormat.E164
    return phonenumbers.format_number(one, e164) == phonenumbers.format_number(two, e164)


def _parse(value: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(value, region.upper() if region else None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _digits(value: str) -> str:
    return "".join(str(unicodedata.digit(char)) for char in value if char.isdigit())
