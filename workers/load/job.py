"""One load under way: a file is read in chunks, every line becomes rows or a problem."""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from workers.db.session import Connection
from workers.load.dialect import Hints
from workers.load.layout import Layout
from workers.load.references import References
from workers.load.report import LoadReport, Problem, Progress
from workers.load.row import FileError, Row, RowError
from workers.load.table import Place, Table
from workers.load.writer import Draft, Writer

_CHUNK_ROWS: Final = 1000
_CHUNK_CHARACTERS: Final = 10_000_000
_MOST_PROBLEMS: Final = 10_000


class Job:
    """What the files of one load share: the report, the rows they may name, the writer, and what is said of them all.

    Attributes:
        tenant: whose rows those of a file without a column `tenant` are; None if nobody can tell.
    """

    def __init__(self, connection: Connection, hints: Hints, progress: Progress | None) -> None:
        self.report = LoadReport()
        self.references = References(connection)
        self.writer = Writer(connection, self.references, self.report)
        self.tenant: UUID | None = None
        self._hints = hints
        self._progress = progress or (lambda _file, _done, _size: None)

    def read(
        self,
        place: Place,
        layout: Layout,
        required: tuple[str, ...],
        optional: tuple[str, ...],
        handle: Callable[[list[Row]], None],
        *,
        others: str,
    ) -> None:
        """Read a file and hand on its good lines, a thousand at a time.

        Args:
            place: the file.
            layout: what its columns mean; lines that cannot be read are counted for its table.
            required: columns without which the file is refused as a whole.
            optional: the other columns that mean something.
            handle: turns lines into rows.
            others: what becomes of columns that are neither, as the note says it.
        """
        before = len(self.report.problems)
        known = frozenset((*required, *optional))
        hints = layout.hints.over(self._hints)
        try:
            with place.open(known.union(*layout.sources.values()), hints.encoding) as source:
                table = Table(source, layout, known, hints)
                self._require(table, layout, required, optional)
                self._note(place, table, layout, known, others)
                for chunk in _chunks(table):
                    for problem in chunk:
                        if isinstance(problem, Problem):
                            self.report.counts(layout.table).read += 1
                            self.report.reject(layout.table, problem)
                    handle([row for row in chunk if isinstance(row, Row)])
                    self._progress(place.name, source.position, source.size)
                    if len(self.report.problems) - before >= _MOST_PROBLEMS:
                        reason = f"{_MOST_PROBLEMS:,} lines cannot be loaded: the rest of the file was not read"
                        self.report.problems.append(Problem(place.name, chunk[-1].line, reason))
                        break
                self._progress(place.name, source.size, source.size)
            if table.deleted:
                self.report.notes.append(f"{place.name}: rows marked as deleted are passed over ({table.deleted}x)")
        except FileError as error:
            self.report.problems.append(Problem(place.name, 1, str(error)))
        # Found by one check after the other; a reader goes through the file from top to bottom.
        self.report.problems[before:] = sorted(self.report.problems[before:], key=lambda problem: problem.line)

    def drafts(self, place: Place, table: str, rows: list[Row], draft: Callable[[Row], Draft]) -> list[Draft]:
        """Turn lines into rows; a line that makes no sense becomes a problem."""
        made = []
        for row in rows:
            try:
                made.append(draft(row))
            except RowError as error:
                self.report.counts(table).read += 1
                self.report.reject(table, Problem(place.name, row.line, str(error)))
        return made

    def _require(self, table: Table, layout: Layout, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
        given = {"tenant"} if self.tenant else set()
        missing = [column for column in required if column not in {*table.columns} | given]
        if not missing:
            return
        names = [" or ".join(layout.sources.get(column, (column,))) for column in missing]
        reason = f"there is no column {' and no column '.join(names)}"
        if missing == ["tenant"]:
            raise FileError(f"{reason}: add it, or say whose rows these are with --tenant")
        if layout.lenient:
            raise FileError(f"{reason}: {layout.origin} cannot be loaded without it")
        if layout.origin:
            raise FileError(f"{reason}, and {layout.origin} names none")
        may = ", ".join(optional) or "nothing else"
        raise FileError(f"{reason}: the header must name {', '.join(required)} and may name {may}")

    def _note(self, place: Place, table: Table, layout: Layout, known: frozenset[str], others: str) -> None:
        notes = list(table.notes)
        if layout.lenient:
            notes.insert(0, f"taken for {layout.origin} and loaded as {layout.table}")
        elif layout.origin:
            notes.insert(0, f"loaded as {layout.table}, as {layout.origin} says")
        if self.tenant and "tenant" in known - {*table.columns}:
            notes.append(f"has no column tenant: its rows belong to {self.references.name_of(self.tenant)}")
        unknown = sorted({*table.columns} - known)
        if unknown:
            notes.append(f"other columns are {others}: {', '.join(unknown)}")
        self.report.notes += [f"{place.name}: {note}" for note in notes]


def _chunks(table: Table) -> Iterator[list[Row | Problem]]:
    """Yield the lines in lists that a statement can bear, however long they are."""
    chunk: list[Row | Problem] = []
    characters = 0
    for item in table:
        chunk.append(item)
        characters += sum(map(len, item.values.values())) if isinstance(item, Row) else 0
        if len(chunk) == _CHUNK_ROWS or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
