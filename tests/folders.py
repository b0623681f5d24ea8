"""Folders of CSV files and workbooks as people have them, loaded at the tests' own instant."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openpyxl

from tests.crm import NOW
from workers import clock
from workers.db.session import Connection
from workers.load import LoadReport, load_directory

TENANTS = "tenant\nNorthwind\n"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files by name, those without an ending as CSV; text in UTF-8."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        folder.joinpath(name if "." in name else f"{name}.csv").write_bytes(data)
    return folder


def workbook(path: Path, **sheets: Iterable[Iterable[Any]]) -> Path:
    """Save rows as the sheets of a workbook."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    path.parent.mkdir(exist_ok=True)
    book.save(path)
    return path


def load_folder(connection: Connection, folder: Path, files: dict[str, str | bytes], **options: Any) -> LoadReport:
    """Write files into the folder and load it; no row of the report may be missing or counted twice."""
    write(folder, files)
    with clock.at(NOW):
        report = load_directory(connection, folder, **options)
    for table, counts in report.tables.items():
        assert counts.read == counts.inserted + counts.unchanged + counts.rejected, table
    return report


def reasons(report: LoadReport) -> list[tuple[int, str]]:
    """Return the line and the reason of each problem."""
    return [(problem.line, problem.reason) for problem in report.problems]
