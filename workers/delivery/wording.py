"""How a text is worded: its language, and how dates and money are written in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_decimal

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "fr", "es", "nl")
# English of no country: the day before the month, and dollars that say whose.
_WORLD_ENGLISH: Final = Locale.parse("en_001")
_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z]{4})?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:[-_.@].*)?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LAPSED: Final = re.compile(r"(\S+) lapsed on (\d{4}-\d\d-\d\d)")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# How the engines name a day: in English, with and without its year.
_ENGLISH_DAY: Final = "%d %B %Y"
_LEAP_YEAR: Final = 2000


@dataclass(frozen=True, slots=True)
class OwnText:
    """A text of a tenant's own, and which version of it that is."""

    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Wording:
    """How a text is worded, and what its tenant says in all of them.

    Attributes:
        language: A language tag: what the text is to be in, if there is a translation.
        locale: The tenant's locale, such as de-AT; its country decides how numbers and dates look.
        time_zone: IANA; where an instant has its day.
        currency: ISO 4217, of amounts that name none.
        link: Where the reader finds what the text is about.
        signature: What stands below the names, in lines.
        share_deal_titles: Whether a deal's title may be read by customers.
        own_texts: The tenant's own versions of the text, by language.
    """

    language: str = ENGLISH
    locale: str | None = None
    time_zone: str = "UTC"
    currency: str | None = None
    link: str | None = None
    signature: str | None = None
    share_deal_titles: bool = False
    own_texts: Mapping[str, OwnText] = field(default_factory=dict)


@lru_cache(maxsize=1024)  # asked for every letter, of the same few wishes
def language_of(*wishes: str | None) -> str:
    """Return the language tag of the first wish that names a language at all, else English.

    Args:
        wishes: as CRMs write them: "de", "de_AT", "German", "Deutsch"; anything else names none.
    """
    for wish in wishes:
        text = (wish or "").strip()
        if named := _names().get(text.casefold()):
            return named
        tag = _TAG.fullmatch(text)
        if tag and tag[1].lower() in _languages():
            return "-".join(filter(None, (tag[1].lower(), tag[2] and tag[2].upper())))
    return ENGLISH


def locale_of(language: str, wording: Wording) -> Locale:
    """Return the locale for a text in a language: with the country of the reader's tag, else of the tenant's."""
    for tag in (wording.language, wording.locale):
        found = _TAG.fullmatch(tag or "")
        country = found[2] if found and (tag == wording.locale or found[1].lower() == language) else None
        if country:
            try:
                return Locale.parse(f"{language}_{country.upper()}")
            except UnknownLocaleError:
                continue
    return _WORLD_ENGLISH if language == ENGLISH else Locale.parse(language)


def day(value: Any, locale: Locale, time_zone: str) -> str | None:
    """Return a day as people write it, month by name: "3 March 2026"; None for none, and what is no day as it is.

    Args:
        value: a date or an instant in ISO 8601, or a day in the English words of the engines.
        locale: of the text.
        time_zone: where an instant has its day.
    """
    if value is None:
        return None
    text = str(value).strip()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return _english_day(text, locale)
    if instant.tzinfo is not None:
        instant = instant.astimezone(_zone(time_zone))
    return format_date(instant.date(), "long", locale=locale)


def money(value: Any, currency: str | None, locale: Locale) -> str | None:
    """Return an amount as people write it: "€1,200.00"; without a currency the number alone, None for none.

    Args:
        value: a number, or a text such as "1200.00" or "1,200.00", as the engines have it.
        currency: ISO 4217.
        locale: of the text.
    """
    if value is None:
        return None
    try:
        amount = Decimal(str(value).strip().replace(",", ""))
        code = (currency or "").strip().upper()
        if _CURRENCY.fullmatch(code):
            return format_currency(amount, code, locale=locale)
        return format_decimal(amount, format="#,##0.00", locale=locale)
    except (InvalidOperation, ValueError):
        return str(value)


def field_words(name: str) -> str:
    """Return a column's name as words: insurance_valid_until, or insuranceValidUntil, as "insurance valid until"."""
    return " ".join(_CAMEL.sub(" ", name).replace("_", " ").split()).lower()


def lapsed(problem: Any) -> Mapping[str, str] | None:
    """Return which field ("field") lapsed on which day ("on"), if that is what a compliance problem says."""
    if isinstance(problem, Mapping):
        return problem if {"field", "on"} <= problem.keys() else None
    found = _LAPSED.fullmatch(str(problem))
    return {"field": found[1], "on": found[2]} if found else None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):  # PostgreSQL knows a few more, such as CEST
        return UTC


def _english_day(text: str, locale: Locale) -> str:
    try:
        return format_date(_strptime(text), "long", locale=locale)
    except ValueError:
        pass
    try:
        return str(format_skeleton("MMMMd", _strptime(f"{text} {_LEAP_YEAR}"), locale=locale))
    except ValueError:
        return text


def _strptime(text: str) -> date:
    return datetime.strptime(text, _ENGLISH_DAY).date()  # noqa: DTZ007  # a day has no zone


@cache
def _languages() -> frozenset[str]:
    return frozenset(Locale(ENGLISH).languages)


@cache
def _names() -> Mapping[str, str]:
    """The languages that are written in, by their English and their own names."""
    return {
        name.casefold(): code
        for code in LANGUAGES
        for name in (Locale(code).get_display_name(ENGLISH), Locale(code).get_display_name(code))
        if name
    }
