"""Rows as a file for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, Final

from starlette.responses import Response

from workers import clock

# What a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_file(name: str, rows: Iterable[Mapping[str, Any]]) -> Response:
    """Return rows as a CSV file of a name and today's date; the first row says what the columns are called."""
    text = io.StringIO()
    writer = csv.writer(text)
    iterator = iter(rows)
    if first := next(iterator, None):
        writer.writerow(first)
        writer.writerows([_harmless(value) for value in row.values()] for row in chain([first], iterator))
    headers = {"Content-Disposition": f'attachment; filename="{name}-{clock.now():%Y-%m-%d}.csv"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)


def _harmless(value: Any) -> Any:  # whatever a column holds
    if isinstance(value, datetime):
        return value.isoformat()
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
