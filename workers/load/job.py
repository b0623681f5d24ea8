"""One load under way: a file is read in chunks, every line becomes rows or a problem."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from workers.db.session import Connection
from workers.load.csv_file import CsvFile, FileError, Row, RowError
from workers.load.references import References
from workers.load.report import LoadReport, Problem, Progress
from workers.load.writer import Draft, Writer

_CHUNK_ROWS: Final = 1000
_CHUNK_CHARACTERS: Final = 10_000_000
_MOST_PROBLEMS: Final = 10_000


class Job:
    """What the files of one load share: the report, the rows they may name, and the writer."""

    def __init__(self, connection: Connection, progress: Progress | None) -> None:
        self.report = LoadReport()
        self.references = References(connection)
        self.writer = Writer(connection, self.references, self.report)
        self._progress = progress or (lambda _file, _done, _size: None)

    def read(
        self,
        path: Path,
        table: str,
        required: tuple[str, ...],
        optional: tuple[str, ...],
        handle: Callable[[list[Row]], None],
        *,
        others: str,
    ) -> None:
        """Read a file and hand on its good lines, a thousand at a time.

        Args:
            path: the file.
            table: where lines that cannot be read are counted.
            required: columns without which the file is refused as a whole.
            optional: the other columns that mean something.
            handle: turns lines into rows.
            others: what becomes of columns that are neither, as the note says it.
        """
        try:
            source = CsvFile(path, required, optional)
        except FileError as error:
            self.report.problems.append(Problem(path.name, 1, str(error)))
            return
        before = len(self.report.problems)
        with source:
            unknown = sorted({*source.columns} - {*required, *optional, ""})
            if unknown:
                self.report.notes.append(f"{path.name}: other columns are {others}: {', '.join(unknown)}")
            for chunk in _chunks(source):
                for problem in chunk:
                    if isinstance(problem, Problem):
                        self.report.counts(table).read += 1
                        self.report.reject(table, problem)
                handle([row for row in chunk if isinstance(row, Row)])
                self._progress(path.name, source.position, source.size)
                if len(self.report.problems) - before >= _MOST_PROBLEMS:
                    reason = f"{_MOST_PROBLEMS:,} lines cannot be loaded: the rest of the file was not read"
                    self.report.problems.append(Problem(path.name, chunk[-1].line, reason))
                    break
            self._progress(path.name, source.size, source.size)
        # Found by one check after the other; a reader goes through the file from top to bottom.
        self.report.problems[before:] = sorted(self.report.problems[before:], key=lambda problem: problem.line)

    def drafts(self, path: Path, table: str, rows: list[Row], draft: Callable[[Row], Draft]) -> list[Draft]:
        """Turn lines into rows; a line that makes no sense becomes a problem."""
        made = []
        for row in rows:
            try:
                made.append(draft(row))
            except RowError as error:
                self.report.counts(table).read += 1
                self.report.reject(table, Problem(path.name, row.line, str(error)))
        return made


def _chunks(source: CsvFile) -> Iterator[list[Row | Problem]]:
    """Yield the lines in lists that a statement can bear, however long they are."""
    chunk: list[Row | Problem] = []
    characters = 0
    for item in source:
        chunk.append(item)
        characters += sum(map(len, item.values.values())) if isinstance(item, Row) else 0
        if len(chunk) == _CHUNK_ROWS or characters > _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
