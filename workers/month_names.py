"""The names of months and days in several languages, as Unicode CLDR has them."""

from collections.abc import Iterable
from typing import Literal

from babel import Locale

Width = Literal["wide", "abbreviated"]


def month_names(locales: Iterable[str]) -> dict[str, int]:
    """Return the months, 1 to 12, by their folded names and abbreviations without a point; the first locale wins."""
    names: dict[str, int] = {}
    for locale in map(Locale.parse, locales):
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in locale.months[context][width].items():
                    names.setdefault(name.casefold().rstrip("."), number)
    return names


def day_names(locales: Iterable[str], widths: Iterable[Width]) -> dict[str, int]:
    """Return the days of the week, 0 for Monday, by their folded names in these widths without a point."""
    names: dict[str, int] = {}
    for locale in map(Locale.parse, locales):
        for context in ("format", "stand-alone"):
            for width in widths:
                for number, name in locale.days[context][width].items():
                    names.setdefault(name.casefold().rstrip("."), number)
    return names
