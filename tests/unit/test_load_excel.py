"""Whatever Excel writes in a country, read back, means the same or is refused: never something else."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.folders import workbook
from workers.load import Hints, Problem
from workers.load.layout import Layout
from workers.load.row import FileError, Row
from workers.load.table import Place, Table

COLUMNS = frozenset({"external_id", "title", "value", "created_at", "closed_at", "auto_follow_up"})
HEADER = ("external_id", "title", "value", "created_at", "closed_at", "auto_follow_up")


@dataclass(frozen=True)
class Country:
    """What Windows tells Excel about a country."""

    date: str
    decimal: str
    group: str
    delimiter: str
    yes: str
    no: str


COUNTRIES = {
    "de": Country("{d:02}.{m:02}.{y}", ",", ".", ";", "WAHR", "FALSCH"),
    "fr": Country("{d:02}/{m:02}/{y}", ",", "\u202f", ";", "VRAI", "FAUX"),
    "en-US": Country("{m}/{d}/{y}", ".", ",", ",", "TRUE", "FALSE"),
    "en-GB": Country("{d:02}/{m:02}/{y}", ".", ",", ",", "TRUE", "FALSE"),
    "de-CH": Country("{d:02}.{m:02}.{y}", ".", "\u2019", ";", "WAHR", "FALSCH"),
}

# "CSV (delimited)", "CSV UTF-8" and "Unicode Text". The narrow space of French numbers is not in Windows-1252.
SAVED_AS: dict[str, Callable[[str], bytes]] = {
    "ansi": lambda text: text.replace("\u202f", "\u00a0").encode("windows-1252"),
    "utf-8": lambda text: text.encode("utf-8-sig"),
    "unicode": lambda text: text.encode("utf-16"),
}


@dataclass(frozen=True)
class Deal:
    title: str
    value: Decimal
    created: datetime
    closed: date
    follow_up: bool


@dataclass(frozen=True)
class Saving:
    """How somebody formatted the cells and saved the sheet."""

    how: str
    grouped: bool  # 1.234,50
    general: bool  # without zeros at the end
    day_numbers: bool  # dates that were not formatted as such


@st.composite
def deals(draw: st.DrawFn) -> list[Deal]:
    """Rows of one sheet: its columns have one number format, and amounts no more decimals than that shows."""
    places = draw(st.integers(0, 4))
    amount = st.integers(0, 10**9).map(lambda number: Decimal(number).scaleb(-places))
    years = draw(st.sampled_from([(1990, 2060), (2026, 2026)]))
    day = st.dates(date(years[0], 1, 1), date(years[1], 12, 31))
    minute = st.builds(time, st.integers(0, 23), st.integers(0, 59))
    title = st.sampled_from(
        ["Zehn Lizenzen", "Müller & Söhne", "Hélène Lefèvre", "Jørgensen", '5" Rohr; rund', "Peña, S.A."]
    )
    row = st.builds(Deal, title, amount, st.builds(datetime.combine, day, minute), day, st.booleans())
    return draw(st.lists(row, min_size=1, max_size=12))


def shown(number: Decimal, country: Country, saving: Saving) -> str:
    """A number as Excel shows it."""
    if saving.general:
        number = number.normalize() if number else Decimal(0)
    text = f"{number:,f}" if saving.grouped else f"{number:f}"
    return text.translate({ord(","): country.group, ord("."): country.decimal})


def saved(rows: list[Deal], country: Country, saving: Saving) -> bytes:
    """The file Excel saves."""
    out = io.StringIO()
    delimiter = "\t" if saving.how == "unicode" else country.delimiter
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(HEADER)
    for number, row in enumerate(rows):
        created, closed = (country.date.format(d=at.day, m=at.month, y=at.year) for at in (row.created, row.closed))
        if saving.day_numbers:
            closed = str((row.closed - date(1899, 12, 30)).days)
        value, follow_up = shown(row.value, country, saving), country.yes if row.follow_up else country.no
        writer.writerow([number, row.title, value, f"{created} {row.created:%H:%M}", closed, follow_up])
    return SAVED_AS[saving.how](out.getvalue())


def read(path: Path, **hints: Any) -> list[Row | Problem]:
    with Place(path, path.name).open(COLUMNS, None) as source:
        return [*Table(source, Layout("deals"), COLUMNS, Hints(**hints))]


def same(row: Row, deal: Deal) -> bool:
    created = row.instant("created_at")
    return (
        row.text("title") == deal.title
        and row.amount("value", below=10**12) == deal.value
        and created is not None
        and created.replace(tzinfo=None) == deal.created
        and row.day("closed_at") == deal.closed
        and row.flag("auto_follow_up", default=True) == deal.follow_up
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("excel") / "deals.csv"


@pytest.mark.parametrize("name", COUNTRIES)
@given(
    rows=deals(), saving=st.builds(Saving, st.sampled_from([*SAVED_AS]), st.booleans(), st.booleans(), st.booleans())
)
def test_a_value_that_excel_wrote_means_the_same_or_is_refused(
    name: str, path: Path, rows: list[Deal], saving: Saving
) -> None:
    country = COUNTRIES[name]
    path.write_bytes(saved(rows, country, saving))
    try:
        result = read(path)
    except FileError:  # then the options decide, and decide rightly
        result = read(path, dates="mdy" if name == "en-US" else "dmy", decimal=country.decimal)
        assert all(isinstance(item, Row) for item in result)
    assert len(result) == len(rows)
    for item, deal in zip(result, rows, strict=True):
        assert isinstance(item, Problem) or same(item, deal), (item, deal)


@pytest.mark.parametrize("name", COUNTRIES)
@pytest.mark.parametrize("how", SAVED_AS)
def test_an_ordinary_sheet_is_read_without_an_option(name: str, how: str, path: Path) -> None:
    rows = [
        Deal(
            "Müller & Söhne",
            Decimal("1234.50"),
            datetime.fromisoformat("2026-01-05 14:30"),
            date(2026, 3, 31),
            follow_up=True,
        ),
        Deal(
            "Hélène Lefèvre",
            Decimal("980.00"),
            datetime.fromisoformat("2026-01-13 08:00"),
            date(2026, 4, 30),
            follow_up=False,
        ),
    ]
    path.write_bytes(saved(rows, COUNTRIES[name], Saving(how, grouped=True, general=False, day_numbers=False)))
    assert all(isinstance(item, Row) and same(item, deal) for item, deal in zip(read(path), rows, strict=True))


@given(rows=deals())
def test_what_a_workbook_holds_is_what_is_read(path: Path, rows: list[Deal]) -> None:
    book = path.with_name("deals.xlsx")
    cells = [(n, row.title, float(row.value), row.created, row.closed, row.follow_up) for n, row in enumerate(rows)]
    workbook(book, Deals=[HEADER, *cells])
    with Place(book, book.name, "Deals").open(COLUMNS, None) as source:
        result = [*Table(source, Layout("deals"), COLUMNS, Hints())]
    assert all(isinstance(item, Row) and same(item, deal) for item, deal in zip(result, rows, strict=True)), result
