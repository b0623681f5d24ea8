"""What people and programs read in a terminal: lines, tables, JSON, and texts of strangers made harmless."""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

# A pipe has no width of its own; there, no id is ever cut.
_PIPE_WIDTH: Final = 200
_LONGEST_CELL: Final = 500
_NOT_PLAIN_ASCII: Final = re.compile(r"[^ -~]")
# Persian, Indic scripts and emoji join or part letters with these; they neither move nor hide any.
_JOINERS: Final = "\u200c\u200d"

_width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
# Nothing that is printed is markup: styles are given beside the text, never inside it.
out: Final = Console(width=_width, markup=False, highlight=False)
err: Final = Console(stderr=True, markup=False, highlight=False)


def visible(text: str) -> str:
    r"""Return a text fit for a terminal: what would act on it or hide in it is written out, as in `\x1b[31m`.

    That is control characters (C0, C1, so no escape sequence and no new line), the controls of writing direction and
    other invisible format characters, lone surrogates, private and unassigned characters. Letters of every script
    stay as they are, and so do spaces and the two joiners.
    """
    return _NOT_PLAIN_ASCII.sub(lambda found: _written_out(found[0]), text)


def foreign(value: object) -> Text:
    """Return a value for a line or a cell: visible, no markup, None as nothing, cut at 500 characters."""
    text = "" if value is None else visible(str(value))
    return Text(text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…")


def lines(*values: object) -> Text:
    """Return values for one cell, one below the other; None takes no line."""
    return Text("\n").join(foreign(value) for value in values if value is not None)


def say(text: str, *, style: str = "", console: Console = out) -> None:
    """Print one line, however long, with whatever it quotes made visible."""
    console.print(Text(visible(text)), style=style, soft_wrap=True)


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """Return a table of texts from anywhere; a column called id is never folded."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in columns:
        table.add_column(name, no_wrap=name == "id", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else foreign(cell) for cell in row))
    return table


def report_table(reports: Iterable[dict[str, Any]]) -> Table:
    """Return the table of what engines did: one row per report."""
    return table_of(
        ["engine", "tenants", "due", "acted", "skipped with reasons", "actions written", "seconds"],
        (
            [
                report["engine"],
                report["tenants"],
                report["due"],
                _counted(_in_words(report["acted"])),
                _counted(report["skipped"]),
                _counted(_in_words(report["actions"])),
                f"{report['seconds']:.2f}",
            ]
            for report in reports
        ),
    )


def json_text(value: object, *, indent: int | None = None) -> str:
    r"""Return a value as JSON that is safe in a terminal too.

    Instants are ISO 8601 in UTC (`2026-03-02T09:00:00+00:00`), ids and decimals strings. What `visible` would write
    out is escaped (`\u001b`).

    Raises:
        TypeError: the value holds something else that JSON has no word for.
    """
    text = json.dumps(value, default=_json_value, ensure_ascii=False, indent=indent)
    return _NOT_PLAIN_ASCII.sub(lambda found: _json_escaped(found[0]), text)


def print_json(value: object) -> None:
    """Print a value as JSON: what every command does with `--json`."""
    print(json_text(value, indent=2))


def progress_bar() -> Progress:
    """Return a bar for people: nothing of it goes into a log."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        console=err,
        disable=not sys.stderr.isatty(),
    )


def _in_words(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.replace("_", " "): n for name, n in counts.items()}


def _counted(counts: Mapping[str, int]) -> Text:
    """Return counts for one cell, one below the other."""
    return lines(*(f"{n} {name}" for name, n in sorted(counts.items()))) if counts else Text("0")


def _harmless(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
    return character if _harmless(character) else character.encode("unicode_escape").decode()


def _json_escaped(character: str) -> str:
    return character if _harmless(character) or character == "\n" else json.dumps(character)[1:-1]


def _json_value(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
