"""The exports of common CRMs, recognised by their headers; beside this file, one table of columns for each CRM."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workers.load.layout import Layout
from workers.load.text import folded_header


@dataclass(frozen=True, slots=True)
class Export:
    """A file that a CRM exports: its layout, and the columns it is recognised by."""

    layout: Layout
    every: frozenset[str]
    some: frozenset[str]
    none: frozenset[str]

    def is_headed(self, header: Collection[str]) -> bool:
        """Say whether a file with this header (folded) is such an export."""
        return (
            self.every.issubset(header)
            and (not self.some or not self.some.isdisjoint(header))
            and self.none.isdisjoint(header)
        )


@cache
def exports() -> tuple[Export, ...]:
    """Return all exports that are known."""
    return tuple(
        Export(
            Layout.of(entry["table"], entry["columns"], origin=entry["what"], lenient=True),
            *(frozenset(folded_header(entry.get(key, ()))) for key in ("all", "any", "none")),
        )
        for path in sorted(Path(__file__).parent.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["file"]
    )


def recognised(header: Collection[str]) -> Layout | None:
    """Return the layout of the one export with this header; None if there is none, or more than one."""
    found = [export.layout for export in exports() if export.is_headed(header)]
    return found[0] if len(found) == 1 else None
