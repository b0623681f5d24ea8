"""A file on its way in: opened, its columns found, its spelling settled, then read row by row."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from workers.load.csv_file import CsvFile, Record
from workers.load.dialect import Dialect, Hints
from workers.load.layout import DELETED, Columns, Layout
from workers.load.report import Problem
from workers.load.row import Row, RowError
from workers.load.sheets import Sheet


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are: a CSV file, or a sheet of a workbook."""

    path: Path
    name: str  # what the report calls it
    sheet: str | None = None

    def open(self, known: Collection[str], encoding: str | None) -> CsvFile | Sheet:
        """Open it and read its header.

        Args:
            known: columns that mean something, to recognise the delimiter by.
            encoding: what a CSV file is in if it is neither marked nor UTF-8.

        Raises:
            FileError: there is no header, or it cannot be understood.
            FleetError: the file cannot be read at all.
        """
        if self.sheet is not None:
            return Sheet(self.path, self.sheet, self.name)
        return CsvFile(self.path, known, encoding)


class Table:
    """An open file whose spelling is settled; iterating yields a `Row` per good line and a `Problem` per bad one.

    Rows that say of themselves that they are deleted are passed over, and counted.
    """

    def __init__(self, source: CsvFile | Sheet, layout: Layout, known: frozenset[str], hints: Hints) -> None:
        """Read the file once, to see how it spells dates and numbers.

        Args:
            source: the open file.
            layout: what its columns mean.
            known: the columns of its table.
            hints: what decides where the file leaves its spelling open.

        Raises:
            FileError: its header or its spelling cannot be understood.
        """
        self._source = source
        self._columns = Columns(source.header, layout, known | {DELETED})
        self._dialect = Dialect(known | {DELETED})
        self.columns = tuple(name for name in self._columns.names if name != DELETED)
        if self._dialect.depends_on(self.columns):
            for record in source:
                if isinstance(record, Record):
                    self._dialect.see(record.line, self._columns.values(record.fields))
        self.notes = source.notes + self._dialect.settle(hints)
        self.deleted = 0

    def __iter__(self) -> Iterator[Row | Problem]:
        for record in self._source:
            if isinstance(record, Problem):
                yield record
                continue
            try:
                row = Row(record.line, self._dialect.translate(self._columns.values(record.fields)))
                gone = row.flag(DELETED, default=False)
            except RowError as error:
                yield Problem(self._source.name, record.line, str(error))
                continue
            if gone:
                self.deleted += 1
            else:
                row.values.pop(DELETED, None)
                yield row
