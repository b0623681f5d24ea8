"""How a file writes its numbers: which sign is the decimal one is told from all of them, never guessed from one."""

import re
from collections import Counter
from decimal import Decimal
from functools import lru_cache
from typing import Final

from workers.load.row import FileError, RowError
from workers.load.text import quoted

DECIMALS: Final = {".": "point", ",": "comma"}

# Besides the other of point and comma: apostrophes, and spaces plain, unbreakable, narrow and thin.
_BETWEEN_THOUSANDS: Final = "'\u2019 \u00a0\u202f\u2009"
_CURRENCY: Final = r"[A-Z]{0,3}[$£€¥₩₹₺₽₴₪฿₫]|[A-Z]{3}|Fr\.?|kr\.?|zł|Kč|Ft"
_WRITTEN: Final = re.compile(rf"({_CURRENCY})?\s*([-+\u2212]?)\s*([0-9][0-9.,{_BETWEEN_THOUSANDS}]*?)\s*({_CURRENCY})?")
# In threes; or, with commas, as India does it: 12,34,567.
_GROUPED: Final = re.compile(
    rf"[1-9][0-9]{{0,2}}([.,{_BETWEEN_THOUSANDS}])[0-9]{{3}}(?:\1[0-9]{{3}})*|[1-9][0-9]?(?:,[0-9]{{2}})+(,)[0-9]{{3}}"
)
_NO_DECIMALS: Final = re.compile(r"(?<=[0-9])([.,])[-\u2013\u2014]{1,2}(?![0-9])")  # 1.234,- and 1'234.--
_ISO_4217: Final = {"€": "EUR", "£": "GBP", "$": "USD", "US$": "USD", "Fr": "CHF", "Fr.": "CHF"}
_THOUSAND: Final = 3

Example = tuple[int, str]  # a line and what stands there


class Numbers:
    """The numbers of one file: first all of them are seen, then settled how they are written, then read.

    980.00 and 1.234.567 can be read in one way, 12.500 in two, a thousandfold apart: the others of the file decide.
    """

    def __init__(self) -> None:
        self._clear: dict[str, Example] = {}  # by decimal sign: the first number that only it explains
        self._places: dict[str, set[int]] = {".": set(), ",": set()}  # how many decimals such numbers have
        self._unclear: Example | None = None
        self._currencies: Counter[str] = Counter()
        self._decimal = "."
        self._told = False
        self.notes: list[str] = []

    def see(self, line: int, text: str) -> None:
        """Take note of a number of the file."""
        currency, readings = _readings(text)
        if currency:
            self._currencies[currency] += 1
        if len(set(readings.values())) > 1:
            self._unclear = self._unclear or (line, text)
        elif len(readings) == 1:
            ((decimal, number),) = readings.items()
            self._clear.setdefault(decimal, (line, text))
            self._places[decimal].add(_places(number))

    def settle(self, hint: str | None) -> None:
        """Decide how the numbers are to be read, and note it with an example where that is not plain.

        Args:
            hint: which decimal sign it is, "." or ",", where the file leaves that open.

        Raises:
            FileError: the numbers can be read in both ways, or contradict each other, and no hint decides; or they
                contradict the hint.
        """
        self._told = hint is not None
        self._decimal = self._sign(hint)
        for _, text in filter(None, (self._unclear, self._clear.get(self._decimal))):
            number = _readings(text)[1][self._decimal]
            if text != str(number):
                self.notes.append(f"numbers read with a decimal {DECIMALS[self._decimal]}: {text} is {number}")
                break
        if self._currencies:
            self.notes.append(f"amounts are kept without their currency, {self._main_currency()}")

    def read(self, text: str) -> Decimal | None:
        """Return a number, read as it was settled; None if it is none.

        Raises:
            RowError: it is a number, but not as this file writes them, or in another currency.
        """
        currency, readings = _readings(text)
        if not readings:
            return None
        if self._decimal not in readings:
            raise RowError(f"{quoted(text)} is not a number with a decimal {DECIMALS[self._decimal]}")
        if currency and currency != self._main_currency():
            raise RowError(f"{quoted(text)} is in another currency than the file's other amounts")
        number = readings[self._decimal]
        # Beside 980.00, somebody may still have meant 12500 by 12.500.
        unusual = _places(number) == _THOUSAND and _THOUSAND not in self._places[self._decimal]
        if unusual and len(set(readings.values())) > 1 and not self._told:
            whole = readings["," if self._decimal == "." else "."]
            raise RowError(
                f"{quoted(text)} can mean {whole} or {number}, and the file's other numbers do not have "
                f"{_THOUSAND} decimals: write it in full, or say which with --decimal"
            )
        return number

    def _sign(self, hint: str | None) -> str:
        if len(self._clear) > 1 and hint is None:
            (line, text), (other_line, other_text) = self._clear.values()
            raise FileError(
                f"the numbers contradict each other: {quoted(text)} in line {line}, {quoted(other_text)} in line "
                f"{other_line}: correct them, or say which are right with --decimal . or --decimal ,"
            )
        if len(self._clear) == 1:
            ((decimal, (line, text)),) = self._clear.items()
            if hint not in {None, decimal} and self._unclear:
                raise FileError(f"--decimal {hint} is not what the file says: {quoted(text)} in line {line}")
            return decimal
        if self._unclear and hint is None:
            line, text = self._unclear
            readings = _readings(text)[1]
            choices = " or ".join(f"{number} (--decimal {decimal})" for decimal, number in readings.items())
            raise FileError(f"the numbers, such as {quoted(text)} in line {line}, can be {choices}: say which")
        return hint or "."

    def _main_currency(self) -> str:
        return self._currencies.most_common(1)[0][0]


@lru_cache(maxsize=10_000)
def _readings(text: str) -> tuple[str | None, dict[str, Decimal]]:
    """Return the currency of a number, and what it is for each decimal sign that explains it."""
    written = _WRITTEN.fullmatch(_NO_DECIMALS.sub(r"\g<1>00", text))
    if written is None or (written[1] and written[4]):
        return None, {}
    currency = written[1] or written[4]
    readings = {}
    for decimal in DECIMALS:
        whole, point, fraction = written[3].partition(decimal)
        digits = _without_groups(whole, decimal)
        if digits and fraction.isdigit() == bool(point):
            sign = "-" if written[2] in {"-", "\u2212"} else ""
            readings[decimal] = Decimal(f"{sign}{digits}{'.' if point else ''}{fraction}")
    return _ISO_4217.get(currency, currency), readings


def _without_groups(whole: str, decimal: str) -> str | None:
    """Return the digits of a whole number, None if what stands between them does not part thousands."""
    if whole.isdigit():
        return whole
    grouped = _GROUPED.fullmatch(whole)
    if grouped is None or decimal in {grouped[1], grouped[2]}:
        return None
    return "".join(filter(str.isdigit, whole))


def _places(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)
