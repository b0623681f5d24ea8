"""How one file spells dates and numbers, and what its fields say once that is known."""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Final

from workers.errors import FleetError
from workers.load.dates import ORDERS, Dates
from workers.load.numbers import DECIMALS, Numbers
from workers.load.row import RowError
from workers.load.text import quoted

DATES: Final = frozenset(
    "expected_close_date created_at last_activity_at closed_at delivered_at valid_until sent_at responded_at".split()  # noqa: SIM905  # words
)
AMOUNTS: Final = frozenset({"value", "total_amount"})
PERCENTAGES: Final = frozenset({"probability"})

# What a spreadsheet leaves where a formula failed: #N/A, #REF!, #DIV/0!, #NAME?, in German #NV, #WERT!.
_FAILED: Final = re.compile(r"#N/?[ADV]|#[^\sa-z]+[!?]")
# A long number as a spreadsheet shows it: its last digits are lost.
_SHORTENED: Final = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]+")

# What databases and accountants write where there is no date and no amount.
_NOTHING: Final = frozenset(
    {"-", "--", "\u2013", "\u2014", "n/a", "null", "none", "nil", "\\n", "0000-00-00", "0000-00-00 00:00:00"}
)

Value = str | Decimal  # text as somebody wrote it, or a number that a workbook keeps as a number


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person says about files that cannot be read in one way only.

    Attributes:
        dates: the order of day, month and year: "dmy", "mdy" or "ymd".
        decimal: the sign before the decimals: "." or ",".
        encoding: of files that are neither UTF-8 nor marked with what they are.

    Raises:
        FleetError: one of them is none of those.
    """

    dates: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def over(self, others: "Hints") -> "Hints":
        """Return these, and for what they do not say the others."""
        return Hints(self.dates or others.dates, self.decimal or others.decimal, self.encoding or others.encoding)

    def __post_init__(self) -> None:
        if self.dates not in {None, *ORDERS}:
            raise FleetError(f"--dates {self.dates!r} is none of {', '.join(ORDERS)}")
        if self.decimal not in {None, *DECIMALS}:
            raise FleetError(f"--decimal {self.decimal!r} is neither . nor ,")
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise FleetError(f"--encoding {self.encoding!r} is no encoding such as windows-1250 or mac-roman")


class Dialect:
    """The spelling of one file: it sees all rows once, settles what they have in common, then translates them."""

    def __init__(self, columns: frozenset[str]) -> None:
        """Begin with a file.

        Args:
            columns: those that mean something; all others are left as they are.
        """
        self._dates = Dates()
        self._numbers = Numbers()
        self._when = columns & DATES
        self._much = columns & (AMOUNTS | PERCENTAGES)
        self._texts = columns - self._when - self._much

    def depends_on(self, columns: Iterable[str]) -> bool:
        """Say whether any of these columns holds dates or numbers."""
        return not self._when.isdisjoint(columns) or not self._much.isdisjoint(columns)

    def see(self, line: int, values: dict[str, Value]) -> None:
        """Take note of the dates and numbers of a row."""
        for column, value in values.items():
            if column in self._when and not _is_nothing(value):
                self._dates.see(line, _text(value))
            elif column in self._much and isinstance(value, str) and not _is_nothing(value):
                self._numbers.see(line, _bare(column, value))

    def settle(self, hints: Hints) -> list[str]:
        """Decide how dates and numbers are read, and return what a reader of the report should know of it.

        Raises:
            FileError: they can be read in several ways, or contradict each other or the hints.
        """
        self._dates.settle(hints.dates)
        self._numbers.settle(hints.decimal)
        return self._dates.notes + self._numbers.notes

    def translate(self, values: dict[str, Value]) -> dict[str, str]:
        """Return a row with dates in ISO 8601 and numbers with a decimal point; what is neither stays as it is.

        Raises:
            RowError: a field is spelled unlike the rest of the file, or was damaged by a spreadsheet.
        """
        translated = {}
        for column, value in values.items():
            text = _text(value)
            try:
                if column in self._texts:
                    _check(text)
                elif column in self._when | self._much and _is_nothing(value):
                    text = ""
                elif column in self._when:
                    moment = self._dates.read(text)
                    text = text if moment is None else _iso(moment)
                elif column in self._much and isinstance(value, str):
                    number = self._numbers.read(_bare(column, text))
                    text = text if number is None else f"{number:f}"
            except RowError as error:
                raise RowError(f"{column} {error}") from None
            translated[column] = text
        return translated


def _is_nothing(value: Value) -> bool:
    return isinstance(value, str) and (not value or value.casefold() in _NOTHING)


def _check(text: str) -> None:
    if text.startswith("#") and _FAILED.fullmatch(text):
        raise RowError(f"{quoted(text)} is what a spreadsheet leaves where a formula failed")
    if "+" in text and _SHORTENED.fullmatch(text):
        raise RowError(
            f"{quoted(text)} was shortened by a spreadsheet, its last digits are lost: export it again as text"
        )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:f}"


def _bare(column: str, text: str) -> str:
    return text.removesuffix("%").rstrip() if column in PERCENTAGES else text


def _iso(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time.min and not moment.tzinfo else moment.isoformat()


def _is_encoding(name: str) -> bool:
    """Say whether a file without a mark may be in it: all of those have the characters of ASCII in common."""
    try:
        return string.printable.encode(name) == string.printable.encode("ascii")
    except (LookupError, ValueError):
        return False
