"""Reading CSV files as people have them: whichever delimiter, with or without a BOM, with bad lines."""

import csv
import re
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workers.errors import FleetError
from workers.load.dialect import Value
from workers.load.encoding import damage, encoding_of
from workers.load.plain_file import open_plain
from workers.load.report import Problem
from workers.load.row import FileError
from workers.load.text import folded_header, tidy

_DELIMITERS: Final = ",;\t|"
# Excel's own word about the delimiter, which may come before the header.
_DELIMITER_LINE: Final = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
# Text that a spreadsheet must not take for a number is exported as a formula: ="0049".
_TEXT_FORMULA: Final = re.compile(r'="([^"]*)"')
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
# A quoted field may run over several lines; a quote nobody closed must not swallow the rest of the file.
_MOST_LINES_PER_ROW: Final = 100
_LONGEST_ROW: Final = 1_000_000  # characters
MOST_COLUMNS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: the physical line it starts in, and its trimmed fields in the order of the header."""

    line: int
    fields: list[Value]


class CsvFile:
    """An open CSV file; iterating yields, each time anew, a `Record` per good line and a `Problem` per bad one.

    Column names are matched in lower case, with underscores for spaces. Blank lines are no rows.
    """

    def __init__(self, path: Path, known: Collection[str], encoding: str | None = None) -> None:
        """Open a file and read its header.

        Args:
            path: the file.
            known: columns that mean something, to recognise the delimiter by.
            encoding: what the file is in if it is neither marked nor UTF-8.

        Raises:
            FileError: it is no plain file, empty, too large, or its encoding cannot be told.
            FleetError: it cannot be read at all.
        """
        self.name = path.name
        try:
            self._raw, self.size = open_plain(path)
        except OSError as error:
            raise FleetError(f"cannot read {path}: {error.strerror}") from None
        try:
            self._encoding = encoding_of(self._raw, encoding)
            # What is not text comes through as lone surrogates (in UTF-16 as U+FFFD): only its own row is refused.
            errors = "replace" if "16" in self._encoding.name else "surrogateescape"
            self._text = TextIOWrapper(self._raw, encoding=self._encoding.name, errors=errors, newline="")
            self._delimiter = ","
            self._restart()
            self.header = self._read_header(known)
        except OSError as error:
            raise FleetError(f"cannot read {path}: {error.strerror}") from None
        except FileError:
            self._raw.close()
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

    @property
    def notes(self) -> list[str]:
        """What a reader of the report should know of the file as a whole."""
        return [self._encoding.note] if self._encoding.note else []

    def __iter__(self) -> Iterator[Record | Problem]:
        self._restart()
        for _ in range(self._header_ends):
            self._next_line()
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
                yield Record(number, fields)

    def _restart(self) -> None:
        self._text.seek(0)
        self._lines = self._numbered()
        self._pushed_back: deque[tuple[int, str]] = deque()

    def _read_header(self, known: Collection[str]) -> tuple[str, ...]:
        """Find the header and, by the columns in it, the delimiter."""
        text = self._line_with_text()
        delimiters = _DELIMITERS
        if (word := _DELIMITER_LINE.fullmatch(text.strip("\r\n"))) is not None:
            delimiters, text = word[1], self._line_with_text()
        # A name may hold a line break.
        while text.count('"') % 2 and len(text) <= _LONGEST_ROW and (line := self._next_line()) is not None:
            self._header_ends, text = line[0], text + line[1]
        if len(text) > _LONGEST_ROW:
            raise FileError(f"the header has more than {_LONGEST_ROW:,} characters")
        best: tuple[str, ...] = ()
        for delimiter in delimiters:
            try:
                columns = folded_header(next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter)))
            except csv.Error:
                continue
            if _rank(columns, known) > _rank(best, known):
                best, self._delimiter = columns, delimiter
        while best and not best[-1]:  # a trailing delimiter
            best = best[:-1]
        if len(best) > MOST_COLUMNS:
            raise FileError(f"the header has more than {MOST_COLUMNS:,} columns")
        return best

    def _line_with_text(self) -> str:
        while (line := self._next_line()) is not None:
            if line[1].strip():
                self._header_ends = line[0]
                return line[1]
        raise FileError("the file is empty")

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

    def _record(self, number: int, text: str) -> list[Value] | Problem:
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
            return [_field(text) for text in fields[: len(self.header)]]
        self._pushed_back.extendleft(reversed(taken))
        return Problem(self.name, number, reason)

    def _complaint(self, fields: list[str]) -> str | None:
        surplus = fields[len(self.header) :]
        if len(fields) < len(self.header) or any(surplus):
            return f"the line has {len(fields)} fields, the header {len(self.header)}"
        text = "".join(fields)
        if "\0" in text:
            return "the line holds a NUL byte"
        if text.isascii():
            return None
        if _UNDECODED.search(text):
            return f"the line is not valid {self._encoding.name.removesuffix('-sig').upper()}"
        return next(filter(None, (damage(field) for field in fields if not field.isascii())), None)


def _field(text: str) -> str:
    text = tidy(text)
    if text.startswith("=") and (formula := _TEXT_FORMULA.fullmatch(text)):
        return formula[1]
    return text


def _rank(columns: tuple[str, ...], known: Collection[str]) -> tuple[int, int]:
    return len({*columns}.intersection(known)), len(columns)
