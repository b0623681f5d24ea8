"""Loading a folder of CSV files: which files are there, and in which order they go in."""

from pathlib import Path
from typing import Final

from workers.db.session import Connection
from workers.errors import FleetError
from workers.load import crm_sales, own_format
from workers.load.job import Job
from workers.load.report import LoadReport, Progress

_OWN_NAMES: Final = ("tenants.csv", *(f"{file.table}.csv" for file in own_format.FILES))


def load_directory(connection: Connection, folder: Path, *, progress: Progress | None = None) -> LoadReport:
    """Import the CSV files of a folder: the fleet's own format, or the public CRM sales set.

    Good rows go in, each bad one is reported. What is there already stays as it is, so loading the same
    folder again, at any time, changes nothing. Every chunk of a thousand rows is a transaction of its own.

    Args:
        connection: outside any transaction, to a migrated database.
        folder: where the files are; their names decide what they are.
        progress: called as (file, bytes read, bytes in all) after each chunk.

    Returns:
        Counts per table, the problems in the order of the files, and notes.

    Raises:
        FleetError: the folder or a file in it cannot be read, or no file in it is known.
    """
    try:
        files = {path.name.casefold(): path for path in sorted(folder.iterdir())}
    except OSError as error:
        raise FleetError(f"cannot read the folder {folder}: {error.strerror}") from None
    own = [name for name in _OWN_NAMES if name in files]
    sales = [name for name in crm_sales.FILES if name in files]
    if not own and not sales:
        raise FleetError(
            f"{folder} holds nothing to load: expected some of {', '.join(_OWN_NAMES)}, "
            f"or the CRM sales set {', '.join(crm_sales.FILES)}"
        )
    if sales and len(sales) < len(crm_sales.FILES):
        missing = [name for name in crm_sales.FILES if name not in files]
        raise FleetError(f"{folder} holds a part of the CRM sales set only, it lacks {', '.join(missing)}")
    job = Job(connection, progress)
    if "tenants.csv" in own:
        own_format.load_tenants(job, files["tenants.csv"])
    for file in own_format.FILES:
        if f"{file.table}.csv" in own:
            own_format.load_file(job, files[f"{file.table}.csv"], file)
    if sales:
        crm_sales.load(job, files)
    return job.report
