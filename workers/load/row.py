"""One row on its way in: what its columns say, and the reason when they say nothing that can be loaded."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Final

from workers.load.text import quoted

_YEARS: Final = range(1900, 2201)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_LONGEST_ADDRESS: Final = 320
# As mail programs copy it: Ann Archer <ann@acme.example>, mailto:ann@acme.example
_COPIED: Final = re.compile(r"(?:[^<>@]*+<)?(?:mailto:)?([^<>]*+)>?", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
# As people say it, and as spreadsheets write TRUE and FALSE in English, German, French, Spanish, Italian,
# Dutch and Portuguese.
_YES: Final = frozenset(
    "yes y true t 1 ja wahr oui vrai sí si verdadero sì vero waar sim verdadeiro".split()  # noqa: SIM905  # words
)
_NO: Final = frozenset("no n false f 0 nein falsch non faux falso nee onwaar não".split())  # noqa: SIM905


class RowError(ValueError):
    """A row cannot be loaded; the message is the reason a person reads in the report."""


class FileError(ValueError):
    """No row of the file can be loaded; the message is the reason a person reads in the report."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record: the physical line it starts in, and its trimmed values by column.

    Dates are ISO 8601 and numbers have a decimal point here, however the file writes them. Days and times without a
    zone are those of `zone`, the tenant's.
    """

    line: int
    values: dict[str, str]
    zone: tzinfo = UTC

    def text(self, column: str) -> str | None:
        """Return the value, or None where it is blank or the file has no such column."""
        return self.values.get(column) or None

    def required(self, column: str) -> str:
        """Return the value.

        Raises:
            RowError: it is blank.
        """
        value = self.text(column)
        if value is None:
            raise RowError(f"{column} is missing")
        return value

    def instant(self, column: str) -> datetime | None:
        """Return an ISO 8601 date or time as an instant; without a zone it is the tenant's, without a time midnight.

        Raises:
            RowError: it is something else, or a year no CRM has.
        """
        value = self.text(column)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise RowError(f"{column} {quoted(value)} is not a date like 2026-03-31 or 31.03.2026") from None
        _check_year(column, moment)
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def day(self, column: str) -> date | None:
        """Return the tenant's date of an ISO 8601 date or time.

        Raises:
            RowError: it is something else.
        """
        moment = self.instant(column)
        return moment.astimezone(self.zone).date() if moment else None

    def short_day(self, column: str) -> datetime | None:
        """Return a date written dd-mm-yy as its midnight in UTC.

        Raises:
            RowError: it is something else.
        """
        value = self.text(column)
        if value is None:
            return None
        try:
            day = datetime.strptime(value, "%d-%m-%y").date()  # noqa: DTZ007  # a date has no zone
        except ValueError:
            raise RowError(f"{column} {quoted(value)} is not a date like 31-12-17 (day-month-year)") from None
        return datetime.combine(day, time.min, UTC)

    def amount(self, column: str, *, below: int) -> Decimal | None:
        """Return a number that is not negative and less than `below`.

        Raises:
            RowError: it is something else.
        """
        value = self.text(column)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise RowError(f"{column} {quoted(value)} is not a number like 1234.50")
        number = Decimal(value)
        if not 0 <= number < below:
            raise RowError(f"{column} {quoted(value)} must be at least 0 and less than {below}")
        return number

    def integer(self, column: str, allowed: range) -> int | None:
        """Return a whole number within `allowed`.

        Raises:
            RowError: it is something else.
        """
        value = self.text(column)
        if value is None:
            return None
        # A spreadsheet writes 50 as 50.0.
        if not _NUMBER.fullmatch(value) or Decimal(value) % 1 or int(Decimal(value)) not in allowed:
            raise RowError(f"{column} {quoted(value)} is not a whole number from {allowed[0]} to {allowed[-1]}")
        return int(Decimal(value))

    def flag(self, column: str, *, default: bool) -> bool:
        """Return yes or no as a boolean, the default where it is blank.

        Raises:
            RowError: it is something else.
        """
        value = self.text(column)
        if value is None:
            return default
        if value.casefold() in _YES:
            return True
        if value.casefold() in _NO:
            return False
        raise RowError(f"{column} {quoted(value)} is neither yes nor no")

    def choice(self, column: str, allowed: tuple[str, ...]) -> str | None:
        """Return one of the allowed words, in lower case.

        Raises:
            RowError: it is something else.
        """
        value = self.text(column)
        if value is None or value.casefold() in allowed:
            return value.casefold() if value else None
        raise RowError(f"{column} {quoted(value)} is none of {', '.join(allowed)}")

    def address(self, column: str) -> str | None:
        """Return an e-mail address.

        Raises:
            RowError: it does not look like one.
        """
        value = self.text(column)
        if value is None:
            return None
        copied = _COPIED.fullmatch(value)
        address = copied[1].strip() if copied else value
        if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
            raise RowError(f"{column} {quoted(value)} is not an e-mail address")
        return address


def _check_year(column: str, moment: datetime) -> None:
    if moment.year not in _YEARS:
        raise RowError(f"{column} {quoted(moment.date().isoformat())} lies outside {_YEARS[0]} to {_YEARS[-1]}")
