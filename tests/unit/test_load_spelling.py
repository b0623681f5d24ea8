"""If these fail, a date becomes another day or an amount a thousand times itself, and nobody is told."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from workers.errors import FleetError
from workers.load import Hints, Problem
from workers.load.layout import Layout
from workers.load.row import FileError, Row
from workers.load.table import Place, Table

COLUMNS = frozenset({"external_id", "value", "probability", "created_at", "closed_at"})


def read(tmp_path: Path, text: str, **hints: Any) -> tuple[list[Row | Problem], list[str]]:
    """Read a deals file; its rows and what the report says of the file."""
    path = tmp_path / "deals.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with Place(path, path.name).open(COLUMNS, None) as source:
        table = Table(source, Layout("deals"), COLUMNS, Hints(**hints))
        return [*table], table.notes


def dates(tmp_path: Path, *written: str, **hints: Any) -> tuple[list[str], list[str]]:
    """Read dates as one column; each as ISO 8601, or why it is refused."""
    rows, notes = read(tmp_path, "external_id;created_at\n" + "".join(f"1;{text}\n" for text in written), **hints)
    return [row.values["created_at"] if isinstance(row, Row) else row.reason for row in rows], notes


def amounts(tmp_path: Path, *written: str, **hints: Any) -> tuple[list[Decimal | str | None], list[str]]:
    """Read amounts as one column; each as a number, or why it is refused."""
    rows, notes = read(tmp_path, "external_id;value\n" + "".join(f"1;{text}\n" for text in written), **hints)
    return [row.amount("value", below=10**9) if isinstance(row, Row) else row.reason for row in rows], notes


@pytest.mark.parametrize(
    ("written", "meant", "note"),
    [
        (["31.03.2026", "5.1.2026"], ["2026-03-31", "2026-01-05"], "day.month.year: 31.03.2026 is 31 March 2026"),
        (["05.01.2026"], ["2026-01-05"], "day.month.year: 05.01.2026 is 5 January 2026"),
        (["3/4/2026", "3/31/2026"], ["2026-03-04", "2026-03-31"], "month/day/year: 3/4/2026 is 4 March 2026"),
        (["03/04/2026", "31/03/2026"], ["2026-04-03", "2026-03-31"], "day/month/year: 03/04/2026 is 3 April 2026"),
        (["3-4-2026", "31-3-2026"], ["2026-04-03", "2026-03-31"], "day-month-year: 3-4-2026 is 3 April 2026"),
        (["31.03.26", "31.03.98"], ["2026-03-31", "1998-03-31"], "day.month.year: 31.03.26 is 31 March 2026"),
        (["31. 3. 2026"], ["2026-03-31"], "day.month.year: 31. 3. 2026 is 31 March 2026"),
        (["31.03.2026 14:30"], ["2026-03-31T14:30:00"], "day.month.year: 31.03.2026 14:30 is 31 March 2026"),
        (["3/31/2026, 2:30:05 PM"], ["2026-03-31T14:30:05"], "month/day/year: 3/31/2026, 2:30:05 PM is 31 March 2026"),
        (["3/31/2026 12:00\u202fAM"], ["2026-03-31"], "month/day/year: 3/31/2026 12:00\u202fAM is 31 March 2026"),
        (
            [
                "31-Mar-26",
                "31 March 2026",
                "Mar 31, 2026",
                "Tuesday, March 31st, 2026 2:30 PM",
                "31. März 2026",
                "31-Mrz-2026",
                "31 mars 2026",
                "31 de marzo de 2026",
                "31 marzo 2026",
                "31 maart 2026",
                "31 mar. 2026",
                "Di., 31.03.2026",
            ],
            ["2026-03-31"] * 3 + ["2026-03-31T14:30:00"] + ["2026-03-31"] * 8,
            "day.month.year: Di., 31.03.2026 is",
        ),
        (["46112", "46112,5"], ["2026-03-31", "2026-03-31T12:00:00"], "day numbers of a spreadsheet: 46112 is"),
    ],
)
def test_dates_are_read_as_their_country_writes_them_and_the_report_says_how(
    tmp_path: Path, written: list[str], meant: list[str], note: str
) -> None:
    read, (said,) = dates(tmp_path, *written)
    assert read == meant
    assert said.startswith(("dates read as " + note, "dates read as " + note + " 31 March 2026"))


def test_a_date_that_means_the_same_everywhere_needs_no_word(tmp_path: Path) -> None:
    written = ["2026-03-31", "2026-03-31T08:30:00.000Z", "2026/3/31", "20260331", "2026-03-31 08:30", "03/03/2026"]
    read, notes = dates(tmp_path, *written)
    assert read == [
        "2026-03-31", "2026-03-31T08:30:00+00:00", "2026-03-31", "2026-03-31", "2026-03-31T08:30:00", "2026-03-03",
    ]  # fmt: skip
    assert notes == ["dates read as day/month/year: 03/03/2026 is 3 March 2026"]


def test_an_ambiguous_date_is_refused_with_the_option_that_decides(tmp_path: Path) -> None:
    with pytest.raises(FileError) as refused:
        dates(tmp_path, "01/01/2026", "03/04/2026")
    assert str(refused.value) == (
        'the dates, such as "03/04/2026" in line 3, can be day/month/year (--dates dmy) or month/day/year '
        "(--dates mdy): say which"
    )
    assert dates(tmp_path, "03/04/2026", dates="dmy")[0] == ["2026-04-03"]
    assert dates(tmp_path, "03/04/2026", dates="mdy")[0] == ["2026-03-04"]


def test_a_year_of_two_digits_may_stand_in_front(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"day-month-year \(--dates dmy\) or year-month-day \(--dates ymd\)"):
        dates(tmp_path, "26-03-31")
    assert dates(tmp_path, "26-03-31", dates="ymd")[0] == ["2026-03-31"]
    assert dates(tmp_path, "31-12-24", dates="dmy")[0] == ["2024-12-31"]


def test_dots_do_not_decide_for_slashes(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="03/04/2026"):
        dates(tmp_path, "31.12.2026", "03/04/2026")
    assert dates(tmp_path, "31.12.2026", "03/04/2026", dates="mdy")[0] == ["2026-12-31", "2026-03-04"]


def test_dates_that_contradict_each_other_cost_the_file_until_somebody_says_which_are_right(tmp_path: Path) -> None:
    written = ["03/04/2026", "31/03/2026", "03/31/2026"]
    with pytest.raises(FileError, match='contradict each other: "31/03/2026" in line 3, "03/31/2026" in line 4'):
        dates(tmp_path, *written)
    assert dates(tmp_path, *written, dates="dmy")[0] == [
        "2026-04-03", "2026-03-31", 'created_at "03/31/2026" is not a date as day/month/year',
    ]  # fmt: skip


def test_what_a_database_writes_where_there_is_nothing_is_nothing(tmp_path: Path) -> None:
    for nothing in ("NULL", "\\N", "n/a", "-", "0000-00-00"):
        assert dates(tmp_path, nothing, "2026-03-31")[0] == ["", "2026-03-31"]
        assert amounts(tmp_path, nothing, "12.50")[0] == [None, Decimal("12.50")]


def test_an_instant_of_a_database_keeps_its_zone(tmp_path: Path) -> None:
    assert dates(tmp_path, "2026-03-31 10:00:00 UTC")[0] == ["2026-03-31T10:00:00+00:00"]


def test_an_option_meant_for_another_file_turns_no_clear_date_around(tmp_path: Path) -> None:
    with pytest.raises(FileError, match='--dates mdy is not what the file says: "31/03/2026" in line 3'):
        dates(tmp_path, "03/04/2026", "31/03/2026", dates="mdy")
    assert dates(tmp_path, "30/04/2026", "31/03/2026", dates="mdy")[0] == ["2026-04-30", "2026-03-31"]


@pytest.mark.parametrize(
    "text",
    [
        "31.02.2026",
        "soon",
        "31 Smarch 2026",
        "30-Feb-2026",
        "March 2026",
        "########",
        "2026",
        "1774915200",
        "14:30",
        "31.03.20260",
        "#N/A",
    ],
)
def test_what_is_no_date_is_left_for_its_row_to_refuse(tmp_path: Path, text: str) -> None:
    assert dates(tmp_path, text)[0] == [text]


@pytest.mark.parametrize(
    ("written", "meant", "note"),
    [
        (["1.234,50", "980,00"], ["1234.50", "980.00"], "decimal comma: 1.234,50 is 1234.50"),
        (["12.500", "0,5"], ["12500", "0.5"], "decimal comma: 12.500 is 12500"),
        (["1,234.50", "12,500"], ["1234.50", "12500"], "decimal point: 12,500 is 12500"),
        (["1'234.50"], ["1234.50"], "decimal point: 1'234.50 is 1234.50"),
        (["1\u2019234.50"], ["1234.50"], "decimal point: 1\u2019234.50 is 1234.50"),
        (["1\u00a0234,50"], ["1234.50"], "decimal comma: 1\u00a0234,50 is 1234.50"),
        (["1\u202f234\u202f567,50"], ["1234567.50"], "decimal comma: 1\u202f234\u202f567,50 is 1234567.50"),
        (["1.234.567"], ["1234567"], "decimal comma: 1.234.567 is 1234567"),
        (["12,34,567.50"], ["1234567.50"], "decimal point: 12,34,567.50 is 1234567.50"),
        (["1.234,-", "980,--"], ["1234.00", "980.00"], "decimal comma: 1.234,- is 1234.00"),
        (["1.500", "0.250"], ["1.500", "0.250"], "decimal point: 1.500 is 1.500"),
    ],
)
def test_numbers_are_read_as_their_country_writes_them_and_the_report_says_how(
    tmp_path: Path, written: list[str], meant: list[str], note: str
) -> None:
    read, notes = amounts(tmp_path, *written)
    assert read == [Decimal(text) for text in meant]
    assert [said for said in notes if note not in said] == []


def test_twelve_and_a_half_thousand_is_never_silently_twelve_and_a_half(tmp_path: Path) -> None:
    with pytest.raises(FileError) as refused:
        amounts(tmp_path, "980", "12.500")
    assert str(refused.value) == (
        'the numbers, such as "12.500" in line 3, can be 12.500 (--decimal .) or 12500 (--decimal ,): say which'
    )
    assert amounts(tmp_path, "980", "12.500", decimal=",")[0] == [980, 12500]
    assert amounts(tmp_path, "980", "12.500", decimal=".")[0] == [980, Decimal("12.5")]
    # Somebody who writes 980.00 does not write 12.500 for twelve and a half.
    assert amounts(tmp_path, "980.00", "12.500")[0] == [
        980,
        (
            'value "12.500" can mean 12500 or 12.500, and the file\'s other numbers do not have 3 decimals: '
            "write it in full, or say which with --decimal"
        ),
    ]


def test_numbers_that_contradict_each_other_cost_the_file_until_somebody_says_which_are_right(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r'contradict each other: "1\.234,50" in line 2, "980\.00" in line 3'):
        amounts(tmp_path, "1.234,50", "980.00")
    assert amounts(tmp_path, "1.234,50", "980.00", decimal=",")[0] == [
        Decimal("1234.50"),
        'value "980.00" is not a number with a decimal comma',
    ]
    with pytest.raises(FileError, match=r'--decimal \. is not what the file says: "980,00" in line 3'):
        amounts(tmp_path, "12.500", "980,00", decimal=".")


@pytest.mark.parametrize(
    "text", ["€ 1.234,50", "1.234,50 €", "1.234,50\u00a0€", "EUR 1.234,50", "1.234,50 EUR", "€1.234,50"]
)
def test_an_amount_may_bear_its_currency(tmp_path: Path, text: str) -> None:
    read, notes = amounts(tmp_path, text)
    assert read == [Decimal("1234.50")]
    assert notes[-1] == "amounts are kept without their currency, EUR"


def test_an_amount_in_another_currency_is_not_added_up_with_the_others(tmp_path: Path) -> None:
    read, _ = amounts(tmp_path, "1.234,50 €", "980,00 EUR", "10,00 CHF")
    assert read[2] == 'value "10,00 CHF" is in another currency than the file\'s other amounts'


@pytest.mark.parametrize(
    "text", ["1.23.456", "1.2345,6", "12.", ",5", "1 2345", "1,5E+06", "--5", "(5)", "€ 5 €", "01.234,5"]
)
def test_what_is_no_number_is_left_for_its_row_to_refuse(tmp_path: Path, text: str) -> None:
    rows, _ = read(tmp_path, f"external_id;value\n1;{text}\n")
    assert [row.values["value"] for row in rows if isinstance(row, Row)] == [text]


def test_a_percentage_may_say_that_it_is_one(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "external_id;probability\n1;40%\n2;60 %\n3;50,0\n")
    assert [row.integer("probability", range(101)) for row in rows if isinstance(row, Row)] == [40, 60, 50]


def test_what_a_spreadsheet_broke_is_refused_and_not_kept(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, 'external_id\n#REF!\n#NV\n#¿NOMBRE?\n"1,23457E+14"\n#1001\n="0049"\n')
    reasons = [row.reason if isinstance(row, Problem) else row.values["external_id"] for row in rows]
    assert [reason.partition(" ")[2] for reason in reasons[:3]] == [
        f'"{text}" is what a spreadsheet leaves where a formula failed' for text in ("#REF!", "#NV", "#¿NOMBRE?")
    ]
    assert "its last digits are lost" in reasons[3]
    assert reasons[4:] == ["#1001", "0049"]


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"dates": "dym"}, "--dates 'dym' is none of dmy, mdy, ymd"),
        ({"decimal": "comma"}, "--decimal 'comma' is neither . nor ,"),
        ({"encoding": "windows"}, "--encoding 'windows' is no encoding"),
        ({"encoding": "rot13"}, "--encoding 'rot13' is no encoding"),
    ],
)
def test_a_misspelt_option_is_named(hints: dict[str, str], message: str) -> None:
    with pytest.raises(FleetError, match=message):
        Hints(**hints)
