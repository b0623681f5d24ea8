"""How a file writes its dates: told from all of them together, never guessed from one."""

import re
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Final

from workers.load.row import FileError, RowError
from workers.load.text import quoted
from workers.month_names import day_names, month_names

ORDERS: Final = {"dmy": ("day", "month", "year"), "mdy": ("month", "day", "year"), "ymd": ("year", "month", "day")}

_TIME: Final = (
    r"(?:,?[T\s]\s*(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?"
    r"(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
)
_WRITTEN: Final = re.compile(r"([0-9]{1,4})([./-])\s?([0-9]{1,2})\2\s?([0-9]{1,4})" + _TIME)
# 31-Mar-26, 31 March 2026, 31. März 2026, 31 de marzo de 2026; Mar 31, 2026
_NAMED: Final = re.compile(
    r"(?:(?P<day>[0-9]{1,2})(?:st|nd|rd|th|er|º|\.)?[\s-]?(?:of\s|de\s)?(?P<month>[^\W\d_]{3,12})\.?"
    r"[\s-](?:del?\s)?(?P<year>[0-9]{4}|[0-9]{2})"
    r"|(?P<first_month>[^\W\d_]{3,12})\.?\s(?P<next_day>[0-9]{1,2})(?:st|nd|rd|th)?,?\s(?P<last_year>[0-9]{4}))" + _TIME
)
_WEEKDAY: Final = re.compile(r"([^\W\d_]{2,14})(?:-feira)?\.?,?\s(?=.)")
_UTC: Final = re.compile(r"\s?(?:UTC|GMT)$")
_LANGUAGES: Final = ("en", "en_GB", "de", "fr", "es", "it", "nl", "pt")
# Days since the 30th of December 1899, from 1954 to 2119: what a spreadsheet shows of a date without a date's format.
_SERIAL: Final = re.compile(r"([2-7][0-9]{4})(?:[.,]([0-9]{1,12}))?")
_SERIAL_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # as written, without a zone
# The years of two digits are 1970 to 2069, as POSIX has it.
_CENTURY_TURNS: Final = 70
_SHORT_YEAR: Final = 2
_FULL_YEAR: Final = 4

Example = tuple[int, str]  # a line and what stands there


class Dates:
    """The dates of one file: first all of them are seen, then settled how they are written, then read.

    ISO 8601, a year of four digits in front, a month by its name, dots (always day.month.year) and a spreadsheet's day
    numbers mean one thing. Slashes and dashes are day first or month first, and a year of two digits may even stand in
    front: that is settled for each of the two signs by the values that can be read in one way only.
    """

    def __init__(self) -> None:
        self._orders: dict[str, dict[frozenset[str], Example]] = {}  # by sign: the orders possible, and where first
        self._unclear: dict[str, Example] = {}  # by sign: the first that means another day in another order
        self._serial: Example | None = None
        self._settled: dict[str, str] = {}
        self.notes: list[str] = []

    def see(self, line: int, text: str) -> None:
        """Take note of a date of the file."""
        if _plain(text) is not None:
            return
        if _serial(text) is not None:
            self._serial = self._serial or (line, text)
            return
        sign, readings = _readings(text)
        if readings:
            self._orders.setdefault(sign, {}).setdefault(frozenset(readings), (line, text))
            if len(set(readings.values())) > 1:
                self._unclear.setdefault(sign, (line, text))

    def settle(self, hint: str | None) -> None:
        """Decide how the dates are to be read, and note it with an example.

        Args:
            hint: which order ("dmy", "mdy", "ymd") it is where the file leaves that open.

        Raises:
            FileError: the dates can be read in several ways, or contradict each other, and no hint decides; or they
                contradict the hint.
        """
        for sign, seen in self._orders.items():
            order = self._settled[sign] = self._order(sign, seen, hint)
            _, text = self._unclear.get(sign) or next(iter(seen.values()))
            if (moment := _readings(text)[1].get(order)) is not None:
                self.notes.append(f"dates read as {_described(order, sign)}: {_shown(text, moment)}")
        if self._serial and (moment := _serial(self._serial[1])) is not None:
            self.notes.append(f"dates read as day numbers of a spreadsheet: {_shown(self._serial[1], moment)}")

    def read(self, text: str) -> datetime | None:
        """Return what a date means, as it was settled; None if it is no date.

        Raises:
            RowError: it is a date, but not in the order of this file's dates.
        """
        moment = _plain(text) or _serial(text)
        if moment is not None:
            return moment
        sign, readings = _readings(text)
        if not readings:
            return None
        order = self._settled[sign]
        if order not in readings:
            raise RowError(f"{quoted(text)} is not a date as {_described(order, sign)}")
        return readings[order]

    def _order(self, sign: str, seen: dict[frozenset[str], Example], hint: str | None) -> str:
        possible = frozenset.intersection(*seen)
        if hint is not None and (hint in possible or (not possible and any(hint in orders for orders in seen))):
            return hint
        if not possible:
            (line, text), (other_line, other_text) = _opposed(seen)
            raise FileError(
                f"the dates contradict each other: {quoted(text)} in line {line}, {quoted(other_text)} in line "
                f"{other_line}: correct them, or say which are right with --dates dmy or --dates mdy"
            )
        if len(possible) > 1 and sign in self._unclear:
            line, text = self._unclear[sign]
            choices = " or ".join(f"{_described(order, sign)} (--dates {order})" for order in sorted(possible))
            raise FileError(f"the dates, such as {quoted(text)} in line {line}, can be {choices}: say which")
        order = min(possible)
        if hint is not None and any(len(orders) > 1 for orders in seen):
            line, text = next(example for orders, example in seen.items() if hint not in orders)
            raise FileError(f"--dates {hint} is not what the file says: {quoted(text)} in line {line}")
        return order


@lru_cache(maxsize=10_000)
def _plain(text: str) -> datetime | None:
    """Read a date that means the same everywhere: ISO 8601, or its year in front, or its month by name."""
    try:
        return datetime.fromisoformat(_UTC.sub("+00:00", text))
    except ValueError:
        pass
    written = _WRITTEN.fullmatch(_without_weekday(text))
    if written is None:
        return _named(text) or _named(_without_weekday(text))  # "mar" is a day and a month
    if len(written[1]) != _FULL_YEAR:
        return None
    return _moment(int(written[1]), int(written[3]), int(written[4]), written)


def _named(text: str) -> datetime | None:
    written = _NAMED.fullmatch(text)
    month = written and _months().get((written["month"] or written["first_month"]).casefold())
    if written is None or month is None:
        return None
    return _moment(
        _year(written["year"] or written["last_year"]), month, int(written["day"] or written["next_day"]), written
    )


def _without_weekday(text: str) -> str:
    weekday = _WEEKDAY.match(text)
    return text[weekday.end() :] if weekday and weekday[1].casefold() in _weekdays() else text


@cache
def _months() -> dict[str, int]:
    return month_names(_LANGUAGES) | {"mrz": 3}  # as Excel abbreviates it in German


@cache
def _weekdays() -> dict[str, int]:
    return day_names(_LANGUAGES, ["wide", "abbreviated"])


@lru_cache(maxsize=10_000)
def _serial(text: str) -> datetime | None:
    number = _SERIAL.fullmatch(text)
    if number is None:
        return None
    seconds = round(float(f"0.{number[2] or 0}") * timedelta(days=1).total_seconds())
    return _SERIAL_ZERO + timedelta(days=int(number[1]), seconds=seconds)


@lru_cache(maxsize=10_000)
def _readings(text: str) -> tuple[str, dict[str, datetime]]:
    """Return the sign between the parts of a date whose year is not in front for sure, and what it is in each order."""
    written = _WRITTEN.fullmatch(_without_weekday(text))
    if written is None:
        return "", {}
    sign, parts = written[2], (written[1], written[3], written[4])
    orders = ["dmy"] if sign == "." else ["dmy", "mdy"]
    if sign != "." and {len(part) for part in parts} == {_SHORT_YEAR}:
        orders.append("ymd")
    readings = {}
    for order in orders:
        part = dict(zip(order, parts, strict=True))
        if len(part["y"]) not in {_SHORT_YEAR, _FULL_YEAR} or max(len(part["d"]), len(part["m"])) > _SHORT_YEAR:
            continue
        moment = _moment(_year(part["y"]), int(part["m"]), int(part["d"]), written)
        if moment is not None:
            readings[order] = moment
    return sign, readings


def _year(written: str) -> int:
    year = int(written)
    return year if len(written) != _SHORT_YEAR else year + (1900 if year >= _CENTURY_TURNS else 2000)


def _moment(year: int, month: int, day: int, written: re.Match[str]) -> datetime | None:
    hour, minute, second = (int(written[part] or 0) for part in ("hour", "minute", "second"))
    if written["half"]:
        if not 1 <= hour <= 12:  # noqa: PLR2004  # the hours of AM and PM
            return None
        hour = hour % 12 + (12 if written["half"] in "pP" else 0)
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # as written, without a zone
    except ValueError:
        return None


def _opposed(seen: dict[frozenset[str], Example]) -> tuple[Example, Example]:
    """Return two dates of which no order can read both, or the two that leave the fewest."""
    pairs = [(one, other) for one in seen for other in seen if one != other]
    one, other = min(pairs, key=lambda pair: len(pair[0] & pair[1]))
    return seen[one], seen[other]


def _described(order: str, sign: str) -> str:
    return sign.join(ORDERS[order])


def _shown(text: str, moment: datetime) -> str:
    return f"{text} is {moment.day} {moment:%B} {moment.year}"
