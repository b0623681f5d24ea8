"""Reading the sheets of an Excel workbook: row by row, dates and numbers as the cells hold them."""

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from zipfile import ZipFile

import openpyxl

from workers.errors import FleetError
from workers.load.csv_file import MOST_COLUMNS, Record
from workers.load.dialect import Value
from workers.load.encoding import damage
from workers.load.plain_file import open_plain
from workers.load.report import Problem
from workers.load.row import FileError
from workers.load.text import folded_header, tidy

# A workbook is a zip archive: a small file may unpack to more than a machine can hold.
_LARGEST_UNPACKED: Final = 512 * 1024**2
_MOST_ROWS: Final = 1_048_576  # of a sheet in Excel; a broken one may claim any number
# A spreadsheet keeps 15 digits of a number; of a longer one the last are lost.
_DIGITS_KEPT: Final = 15
# A sign that a number format shows as it is: 0"%" writes 50 as 50%, where 0% writes 0.5 so.
_LITERAL: Final = re.compile(r'"[^"]*"|\\.')


def sheet_names(path: Path) -> list[str]:
    """Return the names of a workbook's visible sheets.

    Raises:
        FileError: it is no workbook of the format .xlsx, or too large.
        FleetError: it cannot be read at all.
    """
    book, _ = _open(path)
    with closing(book), _refusing("the workbook is damaged"):
        return [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"]


class Sheet:
    """An open sheet; iterating yields, each time anew, a `Record` per good row and a `Problem` per bad one.

    Dates come as ISO 8601, numbers as decimals, and what is text in the sheet as it is written. Blank rows are none.
    """

    def __init__(self, path: Path, sheet: str, name: str) -> None:
        """Open a sheet and read its header, the first row with text in it.

        Args:
            path: the workbook.
            sheet: the sheet's name in it.
            name: what the report calls the sheet.

        Raises:
            FileError: it is no workbook of the format .xlsx, too large, or the sheet is empty.
            FleetError: it cannot be read at all.
        """
        self.name = name
        self.notes: list[str] = []
        self.position = 0
        self._book, self.size = _open(path)
        try:
            with _refusing("the workbook is damaged"):
                self._sheet = self._book[sheet]
                self._rows_said = max(1, self._sheet.max_row or 1)
                self._sheet.reset_dimensions()  # or a sheet that claims to be wide is padded to that width, row by row
            self.header = self._read_header()
        except FileError:
            self._book.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._book.close()

    def __iter__(self) -> Iterator[Record | Problem]:
        width = len(self.header)
        for number, fields in self._rows():
            if number <= self._header_row:
                continue
            self.position = min(self.size, self.size * number // self._rows_said)
            if len(fields) > width:
                reason: str | None = f"the row has {len(fields)} fields, the header {width}"
            else:
                reason = next(
                    filter(None, (damage(field) for field in fields if isinstance(field, str) and not field.isascii())),
                    None,
                )
            if reason is not None:
                yield Problem(self.name, number, reason)
            else:
                yield Record(number, fields + [""] * (width - len(fields)))

    def _read_header(self) -> tuple[str, ...]:
        self._header_row, names = next(self._rows(), (0, []))
        if not names:
            raise FileError("the sheet is empty")
        if len(names) > MOST_COLUMNS:
            raise FileError(f"the header has more than {MOST_COLUMNS:,} columns")
        return folded_header(map(_text, names))

    def _rows(self) -> Iterator[tuple[int, list[Value]]]:
        """Yield the rows that hold something, numbered as Excel does, without the blank cells at their end."""
        rows = iter(self._sheet.iter_rows())
        number = 0
        while (fields := _next_fields(rows)) is not None:
            number += 1
            if number > _MOST_ROWS:
                raise FileError(f"the sheet has more than {_MOST_ROWS:,} rows")
            while fields and fields[-1] == "":
                del fields[-1]
            if fields:
                yield number, fields


def _open(path: Path) -> tuple[Any, int]:
    """Open a workbook and return it with the size of its file."""
    try:
        file, size = open_plain(path)
    except OSError as error:
        raise FleetError(f"cannot read {path}: {error.strerror}") from None
    with file:
        content = BytesIO(file.read())  # what was looked at is what is read, and openpyxl leaves a damaged file open
    with _refusing("this is no .xlsx workbook, or it is protected by a password"), ZipFile(content) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
    if unpacked > _LARGEST_UNPACKED:
        raise FileError(f"the workbook is larger than {_LARGEST_UNPACKED // 1024**2} MB when unpacked")
    with _refusing("the workbook is damaged"):
        return openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False), size


def _next_fields(rows: Iterator[Any]) -> list[Value] | None:
    with _refusing("the workbook is damaged"):
        cells = next(rows, None)
        return None if cells is None else [_value(cell) for cell in cells]


@contextmanager
def _refusing(reason: str) -> Iterator[None]:
    """Refuse a file that makes openpyxl fail, and let no warning out about styles, which nobody loads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:  # it raises whatever it stumbles over
            raise FileError(reason) from error


def _value(cell: Any) -> Value:
    value = cell.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    if not math.isfinite(value):
        return str(value)
    number = Decimal(int(value)) if value == int(value) else Decimal(repr(value))
    if number.adjusted() >= _DIGITS_KEPT:
        return f"{number:.5E}"  # as a CSV file would show it
    return number * 100 if "%" in _LITERAL.sub("", cell.number_format) else number


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat(timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else tidy(str(value))
