"""Find the postal address in a signature's pieces."""

import re
from collections.abc import Sequence
from typing import Final

from workers.insight.contact_words import (
    FAX_LABELS,
    MOBILE_LABELS,
    NUMBER_LABELS,
    PHONE_LABELS,
    closing_rest,
    has_legal_form,
    is_department_like,
    is_name_like,
    is_post_box,
    is_street_like,
    is_title_like,
    word_set,
    words_of,
)
from workers.insight.signature_company import Employer
from workers.insight.signature_pieces import is_registry, mostly_digits, segments_of

__all__ = ["address_after_company", "address_part"]

_CODE: Final = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]\d\d ?[A-Z\d]{4}|\d{5,6}|\d{3} \d{3}"
)
_TOWN_AND_CODE: Final = re.compile(
    r"[^\W\d_][^\d:@]{1,40}[ ,–-](?:[A-Z]{1,3} )?\d{3,6}(?:[ -]\d{3,4})?(?:,? [^\d:@]{2,30})?"
)
_CODE_AND_TOWN: Final = re.compile(
    r"(?:[A-Z]{1,2} ?- ?)?\d{4,5} [^\W\d_]{3}|\d{3} \d{2} [^\W\d_]{3}|\d{2}-\d{3} [^\W\d_]{3}"
)
_HOUSE: Final = re.compile(
    r"[^\d:@]{3,40} \d{1,4} ?[a-zA-Z]?|\d{1,5}[a-zA-Z]?(?:[-/]\d{1,4}){0,3},? [^\W\d_][^\d:@]{2,50}"
)
_LABELS: Final = PHONE_LABELS | MOBILE_LABELS | FAX_LABELS | NUMBER_LABELS
_COUNTRIES: Final = word_set("countries")
_BUILDINGS: Final = word_set("building_words")


def address_part(
    texts: Sequence[str], index: int, address: Sequence[str], company: str | None, employer: Employer
) -> list[str]:
    """Tell what a piece adds to the postal address, with pieces above it that only it explains.

    Args:
        texts: The signature's pieces.
        index: The piece asked about.
        address: What was found of the address in the pieces above.
        company: The company found in the pieces above, if any.
        employer: What the sender's domains say about it.
    """
    text = texts[index]
    if _is_address(text) and (company is not None or not has_legal_form(text)):
        return [*([] if address else _head(texts, index, company, employer)), text]
    if not address or address[-1] != texts[index - 1]:
        return []
    following = texts[index + 1] if index + 1 < len(texts) else ""
    return [text] if _is_place(text) or _is_town(text, following, employer) else []


def address_after_company(text: str) -> list[str]:
    """The address behind a company on its own line: "Acme Ltd, 7 Harbour Road, Bristol BS1 5TY"."""
    if not is_street_like(text):
        return []
    parts = segments_of(text)
    legal = next((index for index, part in enumerate(parts) if has_legal_form(part)), -1)
    rest = ", ".join(parts[legal + 1 :])
    return [rest] if legal >= 0 and is_street_like(rest) else []


def _head(texts: Sequence[str], index: int, company: str | None, employer: Employer) -> list[str]:
    """A street without a word for street ("Am Kai 7") and a building's name, above the rest of an address."""
    start = index
    if start > 0 and _has_code(texts[index]) and _HOUSE.fullmatch(texts[start - 1]):
        start -= 1
    above = words_of(texts[start - 1]) if start > 0 else ()
    if above and company is not None and texts[start - 1] != company:
        named = is_name_like(texts[start - 1]) and not employer.is_named_by(texts[start - 1])
        start -= len(above) > 1 and named and not _BUILDINGS.isdisjoint((above[0], above[-1]))
    return list(texts[start:index])


def _is_town(text: str, following: str, employer: Employer) -> bool:
    """Whether a piece below a street is the town: several places, or a place above its code or a number."""
    most_words = 5
    words = words_of(text)
    if not 0 < len(words) <= most_words or not is_name_like(text) or closing_rest(text) is not None:
        return False
    if employer.is_named_by(text) or is_title_like(text) or is_department_like(text):
        return False
    return "," in text or _is_place(following) or mostly_digits(following)


def _has_code(text: str) -> bool:
    """Whether a piece is a town with its postcode, in either order."""
    return _CODE_AND_TOWN.match(text) is not None or _TOWN_AND_CODE.fullmatch(text) is not None


def _is_place(text: str) -> bool:
    """Whether a piece below a street is a country, a postcode, or a town with its code."""
    if text.casefold().rstrip(".") in _COUNTRIES or _CODE.fullmatch(text):
        return True
    words = words_of(text)
    return bool(words) and words[0] not in _LABELS and _TOWN_AND_CODE.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    """Whether a piece is part of a postal address, and neither a number alone nor a register entry."""
    if not is_street_like(text) or is_registry(text):
        return False
    return not mostly_digits(text) or bool(_CODE_AND_TOWN.match(text)) or is_post_box(text)
