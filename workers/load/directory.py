"""Loading a folder: which files are there, what they are, and in which order they go in."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final
from uuid import UUID

from workers.db.session import Connection, transaction
from workers.errors import FleetError
from workers.load import crm_sales, own_format
from workers.load.dialect import Hints
from workers.load.exports import exports, recognised
from workers.load.job import Job
from workers.load.layout import Layout
from workers.load.mapping import FILE_NAME, FileMappings, read_mappings
from workers.load.report import LoadReport, Problem, Progress
from workers.load.row import FileError, RowError
from workers.load.sheets import sheet_names
from workers.load.table import Place
from workers.load.text import quoted

_TABLES: Final = {"tenants": own_format.TENANT_COLUMNS} | {f.table: (f.required, f.optional) for f in own_format.FILES}
# What may be loaded: the columns of each table, whether a file must have them or not.
COLUMNS: Final = {table: (*required, *optional) for table, (required, optional) in _TABLES.items()}
_TEXTS: Final = frozenset({".csv", ".tsv", ".txt"})
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm"})
_OTHER_SHEETS: Final = frozenset({".xls", ".xlsb", ".ods", ".numbers"})


def load_directory(
    connection: Connection,
    folder: Path,
    *,
    tenant: str | None = None,
    hints: Hints = Hints(),  # noqa: B008  # it never changes
    mapping: Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Import the files of a folder: the fleet's own format, exports of known CRMs, or what a mapping file describes.

    Good rows go in, each bad one is reported. What is there already stays as it is, so loading the same
    folder again, at any time, changes nothing. Every chunk of a thousand rows is a transaction of its own.

    Args:
        connection: outside any transaction, to a migrated database.
        folder: where the files are.
        tenant: name or id of the tenant of files that have no column for it; without it the only one of tenants.csv,
            else of the database.
        hints: how to read what a file leaves open.
        mapping: the mapping file; without it mapping.toml of the folder, if there is one.
        dry_run: do all of it, and take it back at the end.
        progress: called as (file, bytes read, bytes in all) after each chunk.

    Returns:
        Counts per table, the problems in the order of the files, and notes.

    Raises:
        FleetError: the folder or a file in it cannot be read, the tenant does not exist, or no file is known.
        MappingError: the mapping file has mistakes.
    """
    paths = _files_of(folder)
    if mapping is None:
        mapping = next((path for path in paths if path.name.casefold() == FILE_NAME), None)
    mappings = read_mappings(mapping, COLUMNS) if mapping else FileMappings()
    with transaction(connection, force_rollback=True) if dry_run else nullcontext():
        job = Job(connection, hints, progress)
        files = _Files(job, mappings, hints)
        for path in paths:
            files.add(path)
        files.check(folder)
        files.load(tenant)
    return job.report


class _Files:
    """The files of a folder, each with what it is."""

    def __init__(self, job: Job, mappings: FileMappings, hints: Hints) -> None:
        self._job = job
        self._mappings = mappings
        self._hints = hints
        self._known: list[tuple[Place, Layout]] = []
        self._unknown: dict[str, Place] = {}
        # Whatever a header may hold, for the delimiter to be found by it.
        self._columns = frozenset(column for columns in COLUMNS.values() for column in columns).union(
            *(names for export in exports() for names in export.layout.sources.values())
        )

    def add(self, path: Path) -> None:
        """Find out what a file is, or each sheet of a workbook."""
        for place, name in self._places(path):
            layout = self._layout_of(place, name)
            if layout is not None:
                self._known.append((place, layout))
            else:
                self._unknown[place.name.casefold()] = place

    def check(self, folder: Path) -> None:
        """Note what is not loaded.

        Raises:
            FleetError: nothing is.
        """
        sales = self._sales()
        if not self._known and not sales and not self._job.report.problems:
            lacking = [name for name in crm_sales.FILES if name not in self._unknown]
            if len(lacking) < len(crm_sales.FILES):
                raise FleetError(f"{folder} holds a part of the CRM sales set only, it lacks {', '.join(lacking)}")
            raise FleetError(
                f"{folder} holds nothing to load: expected some of {', '.join(f'{table}.csv' for table in _TABLES)}, "
                f"exports of a known CRM, files that {FILE_NAME} describes, "
                f"or the CRM sales set {', '.join(crm_sales.FILES)}"
            )
        names = [name for place, _ in self._known for name in _names(place)]
        self._job.report.notes += [
            f"{FILE_NAME} speaks of {quoted(pattern)}, and no file is called so"
            for pattern in self._mappings.patterns_without(names)
        ]
        self._job.report.notes += [
            f"{place.name}: not loaded, as neither its name nor its header is known: {FILE_NAME} can say what it is"
            for name, place in self._unknown.items()
            if name not in sales
        ]

    def load(self, tenant: str | None) -> None:
        """Load the files, those first that others name rows of."""
        names = {
            name
            for place, layout in self._known
            if layout.table == "tenants"
            for name in own_format.load_tenants(self._job, place, layout)
        }
        self._job.tenant = self._default_tenant(tenant or self._mappings.tenant, names)
        for file in own_format.FILES:
            for place, layout in self._known:
                if layout.table == file.table:
                    own_format.load_file(self._job, place, layout, file)
        if sales := self._sales():
            crm_sales.load(self._job, sales)

    def _sales(self) -> dict[str, Place]:
        """Return the files of the CRM sales set by their names, none unless all are there."""
        found: dict[str, Place] = {name: self._unknown[name] for name in crm_sales.FILES if name in self._unknown}
        return found if len(found) == len(crm_sales.FILES) else {}

    def _places(self, path: Path) -> Iterator[tuple[Place, str]]:
        """Yield where the rows of a file are, and by which name they may be known."""
        suffix = path.suffix.casefold()
        if suffix in _TEXTS:
            yield Place(path, path.name), path.stem.casefold()
        elif suffix in _WORKBOOKS:
            try:
                sheets = sheet_names(path)
            except FileError as error:
                self._job.report.problems.append(Problem(path.name, 1, str(error)))
                return
            for sheet in sheets:
                single = len(sheets) == 1 and sheet.casefold() not in _TABLES
                name = path.name if len(sheets) == 1 else f"{path.name}/{sheet}"
                yield Place(path, name, sheet), (path.stem if single else sheet).casefold()
        elif suffix in _OTHER_SHEETS:
            self._job.report.notes.append(f"{path.name}: not loaded, save it as .xlsx or CSV")

    def _layout_of(self, place: Place, name: str) -> Layout | None:
        """Tell what a file is: as the mapping file says, else by its header, else by its name."""
        for known_as in _names(place):
            if (layout := self._mappings.layout_of(known_as)) is not None:
                return layout
        try:
            with place.open(self._columns, self._hints.encoding) as source:
                header = source.header
        except (FileError, FleetError):
            header = ()  # if it is to be loaded, that says why it cannot be
        if "tenant" not in header and (layout := recognised(header)) is not None:
            return layout
        return Layout(name) if name in _TABLES else None

    def _default_tenant(self, asked: str | None, named: set[str]) -> UUID | None:
        references = self._job.references
        try:
            if asked is not None:
                return references.tenant_named(asked)
            return references.tenant(named.pop()) if len(named) == 1 else references.only_tenant()
        except RowError as error:
            if asked is not None:
                raise FleetError(f"{error} (`fleet tenants` lists them)") from None
            return None  # why it is not there, its own row says


def _names(place: Place) -> list[str]:
    """Return the names by which a mapping file may speak of a file."""
    file = place.path.name
    return [file] if place.sheet is None else [f"{file}/{place.sheet}", file]


def _files_of(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise FleetError(f"cannot read the folder {folder}: {error.strerror}") from None
