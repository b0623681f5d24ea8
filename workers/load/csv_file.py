"""Reading CSV files as people have them: whichever delimiter, with or without a BOM, with bad lines."""

import csv
import re
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workers.errors import FleetError
from workers.load.report import Problem

_DELIMITERS: Final = ",;\t|"
# A quoted field may run over several lines; a quote nobody closed must not swallow the rest of the file.
_MOST_LINES_PER_ROW: Final = 100
_LARGEST_FILE: Final = 1_000_000_000  # bytes
_LONGEST_ROW: Final = 1_000_000  # characters
_MOST_COLUMNS: Final = 1_000
_LONGEST_ADDRESS: Final = 320
_YEARS: Final = range(1900, 2201)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_ADDRESS: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_YES: Final = frozenset({"yes", "y", "true", "t", "1"})
_NO: Final = frozenset({"no", "n", "false", "f", "0"})
_LONGEST_QUOTED: Final = 60


class RowError(ValueError):
    """A row cannot be loaded; the message is the reason a person reads in the report."""


class FileError(ValueError):
    """No row of the file can be loaded; the message is the reason a person reads in the report."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record: the physical line it starts in, and its trimmed values by column."""

    line: int
    values: dict[str, str]

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
        """Return an ISO 8601 date or time as an instant; without a zone it is UTC, without a time midnight.

        Raises:
            RowError: it is something else, or a year no CRM has.
        """
        value = self.text(column)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise RowError(f"{column} {quoted(value)} is not a date like 2026-03-31") from None
        _check_year(column, moment)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def day(self, column: str) -> date | None:
        """Return the date of an ISO 8601 date or time.

        Raises:
            RowError: it is something else.
        """
        moment = self.instant(column)
        return moment.date() if moment else None

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
        if value is not None and (len(value) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(value)):
            raise RowError(f"{column} {quoted(value)} is not an e-mail address")
        return value


class CsvFile:
    """An open CSV file; iterating yields a `Row` for every good line and a `Problem` for every bad one.

    Column names are matched in lower case, with underscores for spaces. Blank lines are no rows.
    """

    def __init__(self, path: Path, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        """Open a file and read its header.

        Args:
            path: the file.
            required: columns without which no row can be loaded.
            optional: columns that mean something, to recognise the delimiter by.

        Raises:
            FileError: it is no plain file, empty, too large, not text in UTF-8, or lacks a required column.
            FleetError: it cannot be read at all.
        """
        self.name = path.name
        try:
            self._raw, self.size = _opened(path)
            start = self._raw.peek(2)[:2]
        except OSError as error:
            raise FleetError(f"cannot read {path}: {error.strerror}") from None
        # What is not UTF-8 comes through as lone surrogates, so that only its own row is refused.
        self._text = TextIOWrapper(self._raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._lines = self._numbered()
        self._pushed_back: deque[tuple[int, str]] = deque()
        try:
            self.columns = self._read_header(start, required, optional)
        except FileError:
            self._text.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._raw.tell()

    def __iter__(self) -> Iterator[Row | Problem]:
        while (line := self._next_line()) is not None:
            number, text = line
            if not text.strip():
                continue
            if len(text) > _LONGEST_ROW:
                yield Problem(self.name, number, f"the line has more than {_LONGEST_ROW:,} characters")
                continue
            fields = self._record(number, text)
            if isinstance(fields, Problem):
                yield fields
            elif any(fields):  # a spreadsheet saves its empty rows as lines of delimiters
                yield Row(number, dict(zip(self.columns, fields, strict=True)))

    def _read_header(self, start: bytes, required: tuple[str, ...], optional: tuple[str, ...]) -> tuple[str, ...]:
        if start in {b"\xff\xfe", b"\xfe\xff"}:
            raise FileError("the file is UTF-16: save it as CSV in UTF-8")
        line = self._next_line()
        while line is not None and not line[1].strip():
            line = self._next_line()
        if line is None:
            raise FileError("the file is empty")
        columns = self._columns(line[1], {*required, *optional})
        if len(line[1]) > _LONGEST_ROW or len(columns) > _MOST_COLUMNS:
            raise FileError(f"the header has more than {_MOST_COLUMNS:,} columns or {_LONGEST_ROW:,} characters")
        missing = [column for column in required if column not in columns]
        if missing:
            raise FileError(
                f"there is no column {' and no column '.join(missing)}: "
                f"the header must name {', '.join(required)} and may name {', '.join(optional) or 'nothing else'}"
            )
        twice = sorted({column for column in columns if column and columns.count(column) > 1})
        if twice:
            raise FileError(f"the header names the column {twice[0]} twice")
        return columns

    def _columns(self, header: str, known: set[str]) -> tuple[str, ...]:
        """Split the header by the delimiter that brings out most of the known columns, and keep that."""
        best: tuple[str, ...] = ()
        for delimiter in _DELIMITERS:
            try:
                fields = next(csv.reader([header], delimiter=delimiter))
            except csv.Error:
                continue
            columns = tuple("_".join(field.split()).casefold() for field in fields)
            if not best or len(known.intersection(columns)) > len(known.intersection(best)):
                best, self._delimiter = columns, delimiter
        while best and not best[-1]:  # a trailing delimiter in the header
            best = best[:-1]
        return best

    def _numbered(self) -> Iterator[tuple[int, str]]:
        """Yield the lines with their numbers; of one that is too long no more than tells so."""
        number = 0
        while line := self._text.readline(_LONGEST_ROW + 1):
            number += 1
            rest = line
            while len(rest) > _LONGEST_ROW and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(_LONGEST_ROW + 1)
            yield number, line

    def _next_line(self) -> tuple[int, str] | None:
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines, None)

    def _record(self, number: int, text: str) -> list[str] | Problem:
        """Parse the record that starts with this line; a broken one gives its later lines back."""
        taken: list[tuple[int, str]] = []

        def feed() -> Iterator[str]:
            yield text
            length = len(text)
            while len(taken) < _MOST_LINES_PER_ROW - 1 and (line := self._next_line()) is not None:
                taken.append(line)
                length += len(line[1])
                if length > _LONGEST_ROW:
                    return
                yield line[1]

        try:
            fields = next(csv.reader(feed(), delimiter=self._delimiter, strict=True))
            reason = self._complaint(fields)
        except csv.Error as error:
            open_quote = "unexpected end of data" in str(error)
            reason = "a quote is opened and not closed" if open_quote else f"the line cannot be read: {error}"
        if reason is None:
            return [field.strip() for field in fields[: len(self.columns)]]
        self._pushed_back.extendleft(reversed(taken))
        return Problem(self.name, number, reason)

    def _complaint(self, fields: list[str]) -> str | None:
        surplus = fields[len(self.columns) :]
        if len(fields) < len(self.columns) or any(surplus):
            return f"the line has {len(fields)} fields, the header {len(self.columns)}"
        text = "".join(fields)
        if "\0" in text:
            return "the line holds a NUL byte"
        if not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text):
            return "the line is not valid UTF-8"
        return None


def _opened(path: Path) -> tuple[BufferedReader, int]:
    """Open a file and return it with its size; what never ends (a device, a pipe) is not even opened.

    Raises:
        FileError: it is no plain file, whatever links lead there, or too large.
        OSError: it cannot be opened.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise FileError("it is no plain file")
    if found.st_size > _LARGEST_FILE:
        raise FileError(f"the file has more than {_LARGEST_FILE:,} bytes: split it")
    return path.open("rb"), found.st_size


def quoted(value: str) -> str:
    """Return a value as a message shows it: in quotes, and no longer than a message can bear."""
    return f'"{value}"' if len(value) <= _LONGEST_QUOTED else f'"{value[:_LONGEST_QUOTED]}…"'


def _check_year(column: str, moment: datetime) -> None:
    if moment.year not in _YEARS:
        raise RowError(f"{column} {quoted(moment.date().isoformat())} lies outside {_YEARS[0]} to {_YEARS[-1]}")
