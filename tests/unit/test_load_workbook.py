"""If these fail, a workbook that was damaged, or made to, takes the machine with it, or a cell says something else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from tests.folders import workbook
from workers.load import Problem
from workers.load.row import FileError
from workers.load.sheets import Sheet, sheet_names

# Ten to the power of nine letters.
BOMB = (
    '<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    + "]>"
)


def changed(path: Path, change: Callable[[str], str]) -> Path:
    """Rewrite the XML of a workbook's first sheet."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = change(parts[name].decode()).encode()
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return path


def rows(path: Path) -> list[Any]:
    with Sheet(path, sheet_names(path)[0], path.name) as sheet:
        return [record if isinstance(record, Problem) else record.fields for record in sheet]


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    return workbook(tmp_path / "clients.xlsx", Clients=[["tenant", "company_name"], ["Northwind", "Acme"]])


def test_a_small_file_that_unpacks_to_more_than_the_machine_holds_is_refused(clients: Path) -> None:
    changed(clients, lambda xml: xml + " " * (513 * 1024**2))
    assert clients.stat().st_size < 1_000_000
    with pytest.raises(FileError, match="larger than 512 MB when unpacked"):
        sheet_names(clients)


def test_entities_that_grow_are_not_unfolded(clients: Path) -> None:
    changed(clients, lambda xml: BOMB + xml.split("?>", 1)[-1].replace("Northwind", "&a8;"))
    with pytest.raises(FileError, match="damaged"):
        rows(clients)


def test_half_a_workbook_is_refused(clients: Path) -> None:
    with pytest.raises(FileError, match="damaged"):
        rows(changed(clients, lambda xml: xml[:-30]))


def test_a_sheet_that_claims_rows_without_end_is_refused(clients: Path) -> None:
    row = '<row r="99999999999"><c r="A99999999999"><v>1</v></c></row></sheetData>'
    with pytest.raises(FileError, match="more than 1,048,576 rows"):
        rows(changed(clients, lambda xml: xml.replace("</sheetData>", row)))


def test_a_cell_far_away_costs_its_row_and_no_memory(clients: Path) -> None:
    def far(xml: str) -> str:
        xml = xml.replace('ref="A1:B2"', 'ref="A1:XFD1048576"')
        return xml.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')

    first, last = rows(changed(clients, far))
    assert first == ["Northwind", "Acme"]
    assert last == Problem("clients.xlsx", 1_048_576, "the row has 16384 fields, the header 2")


def test_a_cell_says_what_the_sheet_shows(tmp_path: Path) -> None:
    path = workbook(tmp_path / "deals.xlsx", Deals=[["a", "b"], [" A\u00a0", 0.4], [True, 10**15], ["#N/A", 50.0]])
    book = openpyxl.load_workbook(path)
    book["Deals"]["B2"].number_format = "0%"
    book.create_sheet("Hidden").sheet_state = "hidden"
    book.save(path)
    assert sheet_names(path) == ["Deals"]
    assert [[str(value) for value in row] for row in rows(path)] == [
        ["A", "40.0"], ["true", "1.00000E+15"], ["#N/A", "50"],
    ]  # fmt: skip
