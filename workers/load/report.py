"""What a load did: counts per table, what was refused and why, and what a reader should know besides."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

# (file name, bytes read so far, bytes of the file); called after every chunk and once when the file is done
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class TableCounts:
    """Rows of one table: `read` is always the sum of `inserted`, `unchanged` and `rejected`."""

    read: int = 0
    inserted: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row, or with line 1 often a whole file, was not loaded."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(slots=True)
class LoadReport:
    """The outcome of a load, in the order in which things happened."""

    tables: dict[str, TableCounts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self, table: str) -> TableCounts:
        """Return the counts of a table, to be read or added to."""
        return self.tables.setdefault(table, TableCounts())

    def reject(self, table: str, problem: Problem) -> None:
        """Count a row that was read but not loaded, and keep the reason."""
        self.counts(table).rejected += 1
        self.problems.append(problem)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)
