"""Tables for people: one look for all of them."""

from typing import Any

from rich import box
from rich.table import Table


def table_of(*columns: str, title: str | None = None) -> Table:
    """Return an empty table with these columns."""
    return Table(*columns, title=title, box=box.SIMPLE_HEAD, title_justify="left")


def report_table(reports: list[dict[str, Any]]) -> Table:
    """Return the table of what engines did: one row per report."""
    table = table_of("engine", "tenants", "due", "acted", "skipped with reasons", "actions written", "seconds")
    for report in reports:
        acted = "\n".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(report["acted"].items()))
        skipped = "\n".join(f"{n} {reason}" for reason, n in sorted(report["skipped"].items()))
        written = "\n".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(report["actions"].items()))
        table.add_row(
            report["engine"], str(report["tenants"]), str(report["due"]),
            acted or "0", skipped or "0", written or "0", f"{report['seconds']:.2f}",
        )  # fmt: skip
    return table
