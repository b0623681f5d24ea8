"""What the columns of a file mean: in the fleet's own words, by whatever name they stand in its header."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from workers.load.dialect import Hints, Value
from workers.load.row import FileError
from workers.load.text import folded_header

# Besides the columns of its table, any file may say of a row that it is gone.
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class Layout:
    """What one file's columns mean.

    Attributes:
        table: where its rows go.
        sources: by column of the table, the names (as `folded_header` gives them) under which the file may have it; the
            first that is filled counts. A column that is not among them is looked for under its own name.
        origin: what the report calls such a file; None for the fleet's own format.
        hints: what is said of this file alone.
        lenient: its owners may be strangers, and a deal's contacts several: then it is left without.
        complete: each of the names must be there.
    """

    table: str
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origin: str | None = None
    hints: Hints = field(default_factory=Hints)
    lenient: bool = False
    complete: bool = False

    @classmethod
    def of(cls, table: str, columns: Mapping[str, str | Sequence[str]], **more: Any) -> Self:
        """Make a layout of the names that the columns have in the header, one or several for each."""
        sources = {
            column: folded_header([names] if isinstance(names, str) else names) for column, names in columns.items()
        }
        return cls(table, sources, **more)


class Columns:
    """A layout applied to the header of a file."""

    def __init__(self, header: Sequence[str], layout: Layout, known: frozenset[str]) -> None:
        """Find each column.

        Args:
            header: the file's, folded.
            layout: what its columns mean.
            known: the columns of the table.

        Raises:
            FileError: the header names a column twice that means something, or lacks one that it must have.
        """
        used = {name for names in layout.sources.values() for name in names}
        meaningful = (used | known) - {""}
        twice = sorted(name for name in meaningful if list(header).count(name) > 1)
        if twice:
            raise FileError(f"the header names the column {twice[0]} twice")
        lacking = sorted(used - set(header)) if layout.complete else []
        if lacking:
            raise FileError(
                f"{layout.origin} names the column {' and the column '.join(lacking)}, "
                f"but the header has only {', '.join(filter(None, header))}"
            )
        self._places: dict[str, list[int]] = {}  # by column, where it stands: mostly in one place
        for column, names in layout.sources.items():
            if places := [header.index(name) for name in names if name in header]:
                self._places[column] = places
        renamed = {*self._places}
        for place, name in enumerate(header):
            if name and name not in used | renamed:
                self._places[self._free(name)] = [place]
        self._several = [(column, places) for column, places in self._places.items() if len(places) > 1]
        self.names = tuple(self._places)

    def values(self, fields: Sequence[Value]) -> dict[str, Value]:
        """Return a record's fields by column."""
        values = {column: fields[places[0]] for column, places in self._places.items()}
        for column, places in self._several:
            values[column] = next((fields[place] for place in places if fields[place] != ""), "")
        return values

    def _free(self, name: str) -> str:
        """Return a name that no column has yet: the second `note` of a header is note_2."""
        number, free = 1, name
        while free in self._places:
            number += 1
            free = f"{name}_{number}"
        return free
