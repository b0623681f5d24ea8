"""The mapping file: what the columns of files mean that neither the fleet nor a known CRM has named."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from workers.errors import FleetError
from workers.load.dialect import Hints
from workers.load.layout import DELETED, Layout
from workers.load.plain_file import open_plain
from workers.load.text import quoted

FILE_NAME: Final = "mapping.toml"
_HINTS: Final = ("dates", "decimal", "encoding")


class MappingError(FleetError):
    """The mapping file has mistakes; the message has a line for each."""


@dataclass(frozen=True, slots=True)
class FileMappings:
    """What a mapping file says.

    Attributes:
        tenant: whose rows those of files without a column `tenant` are.
        layouts: by the name of a file, in which * stands for anything.
    """

    tenant: str | None = None
    layouts: Mapping[str, Layout] = field(default_factory=dict)

    def layout_of(self, name: str) -> Layout | None:
        """Return the layout of a file, the first whose name fits; None if there is none."""
        return next((layout for pattern, layout in self.layouts.items() if _fits(name, pattern)), None)

    def patterns_without(self, names: Collection[str]) -> list[str]:
        """Return the names in the mapping file that none of these files fits."""
        return [pattern for pattern in self.layouts if not any(_fits(name, pattern) for name in names)]


def _fits(name: str, pattern: str) -> bool:
    return fnmatch(name.casefold(), pattern.casefold())


def read_mappings(path: Path, tables: Mapping[str, Collection[str]]) -> FileMappings:
    """Read a mapping file.

    Args:
        path: the file, in TOML.
        tables: the columns of each table that can be loaded.

    Raises:
        FleetError: it cannot be read.
        MappingError: something in it is wrong.
    """
    try:
        with open_plain(path)[0] as file:
            content = tomllib.loads(file.read().decode("utf-8-sig"))
    except OSError as error:
        raise FleetError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # it is no plain file, no UTF-8 or no TOML
        raise FleetError(f"{path.name}: {error}") from None
    reading = _Reading(tables, path.name)
    mappings = reading.mappings(content)
    if reading.mistakes:
        raise MappingError(*(f"{path.name}: {mistake}" for mistake in reading.mistakes))
    return mappings


class _Reading:
    """Reads the content and gathers what is wrong with it."""

    def __init__(self, tables: Mapping[str, Collection[str]], name: str) -> None:
        self.mistakes: list[str] = []
        self._tables = tables
        self._name = name

    def mappings(self, content: dict[str, Any]) -> FileMappings:
        self._check_keys(content, ("tenant", "files"), "")
        tenant = self._text(content, "tenant", "")
        files = content.get("files", {})
        if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
            self.mistakes.append('each file is described under its name: [files."customers.csv"]')
            return FileMappings()
        return FileMappings(tenant, {name: self._layout(name, entry) for name, entry in files.items()})

    def _layout(self, name: str, entry: dict[str, Any]) -> Layout:
        where = f"files.{quoted(name)}: "
        self._check_keys(entry, ("table", "columns", *_HINTS), where)
        table = self._text(entry, "table", where)
        if table is None:
            self.mistakes.append(f"{where}table is missing: it is one of {', '.join(self._tables)}")
        elif table not in self._tables:
            self.mistakes.append(f"{where}there is no table {quoted(table)}{self._meant(table, self._tables)}")
        hints = Hints()
        for key in _HINTS:
            try:
                hints = Hints(**{key: self._text(entry, key, where)}).over(hints)
            except FleetError as error:
                self.mistakes.append(where + str(error).removeprefix("--"))
        columns = self._columns(entry.get("columns", {}), self._tables.get(table or ""), where)
        return Layout.of(table or "", columns, origin=self._name, hints=hints, complete=True)

    def _columns(self, entry: Any, known: Collection[str] | None, where: str) -> dict[str, list[str]]:
        if not isinstance(entry, dict):
            self.mistakes.append(f'{where}columns are written as company_name = "Customer"')
            return {}
        columns = {}
        for column, names in entry.items():
            names = [names] if isinstance(names, str) else names  # noqa: PLW2901  # one name is a list of one
            if known is not None and column not in {*known, DELETED}:
                self.mistakes.append(f"{where}there is no column {quoted(column)}{self._meant(column, known)}")
            elif not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
                self.mistakes.append(f"{where}{column} must be the name of a column of the file, or a list of names")
            else:
                columns[column] = names
        return columns

    def _check_keys(self, entry: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
        self.mistakes += [
            f"{where}{quoted(key)} means nothing here{self._meant(key, allowed)}" for key in entry if key not in allowed
        ]

    def _text(self, entry: dict[str, Any], key: str, where: str) -> str | None:
        value = entry.get(key)
        if value is not None and not isinstance(value, str):
            self.mistakes.append(f'{where}{key} is a text, written as {key} = "…"')
            return None
        return value

    def _meant(self, word: str, words: Collection[str]) -> str:
        close = get_close_matches(word, words, n=1)
        return f"; did you mean {close[0]}?" if close else f": it can be {', '.join(words)}"
