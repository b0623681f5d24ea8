"""Writing rows set-wise: one statement per thousand, and none of them lost to a bad one among them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from workers.db.crm_zone import kept_zone
from workers.db.session import REFUSALS, Connection, transaction
from workers.load.references import References
from workers.load.report import LoadReport, Problem
from workers.resources import shipped

_dumps: Final = partial(json.dumps, default=str)  # ids, dates and decimals: PostgreSQL reads their text


@dataclass(frozen=True, slots=True)
class Draft:
    """A row on its way: its columns (with id and, but for tenants, tenant_id), and what it is known by."""

    line: int
    record: dict[str, Any]
    name: str | None
    external_id: str | None = None

    @property
    def id(self) -> UUID:
        """The row's id."""
        row_id: UUID = self.record["id"]
        return row_id


class Writer:
    """Inserts what is new, leaves alone what is there, and reports what the database refuses."""

    def __init__(self, connection: Connection, references: References, report: LoadReport) -> None:
        self._connection = connection
        self._references = references
        self._report = report
        self._zone = kept_zone(connection)
        self._seen: dict[tuple[str, UUID], tuple[str, int, int]] = {}

    def write(self, table: str, file: str, drafts: Sequence[Draft]) -> None:
        """Write rows of one table, whose references have been covered, in one transaction."""
        counts = self._report.counts(table)
        counts.read += len(drafts)
        new = []
        for draft in drafts:
            content = hash(_dumps(draft.record, sort_keys=True))
            place = (file, draft.line)
            *first, same = self._seen.setdefault((table, draft.id), (*place, content))
            if place != tuple(first):
                if same == content:
                    counts.unchanged += 1
                else:
                    key = draft.external_id or draft.name
                    reason = f"{key} stands in {first[0]}:{first[1]} already, with other values"
                    self._report.reject(table, Problem(file, draft.line, reason))
            elif self._references.has(table, draft.record, draft.external_id, draft.name):
                counts.unchanged += 1
            else:
                new.append(draft)
        if not new:
            return
        with transaction(self._connection):
            if self._zone:  # the CRM's columns may name none
                self._connection.execute("SELECT set_config('timezone', %s, true)", [self._zone])
            inserted = self._insert(table, file, new)
        for draft in new:
            if draft.id in inserted:
                self._references.add(table, draft.record, draft.external_id, draft.name)
        counts.inserted += len(inserted)

    def _insert(self, table: str, file: str, drafts: Sequence[Draft]) -> set[UUID]:
        """Insert rows and return the ids of the new ones; halve what fails until the bad row stands alone."""
        records = Jsonb([draft.record for draft in drafts], dumps=_dumps)
        try:
            with self._connection.transaction():
                rows = self._connection.execute(_statement(table), {"records": records}).fetchall()
        except REFUSALS as error:
            if len(drafts) > 1:
                half = len(drafts) // 2
                return self._insert(table, file, drafts[:half]) | self._insert(table, file, drafts[half:])
            reason = f"the database refuses the row: {error.diag.message_primary or type(error).__name__}"
            self._report.reject(table, Problem(file, drafts[0].line, reason))
            return set()
        inserted = {row["id"] for row in rows}
        for draft in drafts:
            if draft.id not in inserted:  # there under another name, or written by someone else meanwhile
                self._report.counts(table).unchanged += 1
                if table != "tenants":
                    self._references.forget(table, draft.record["tenant_id"])
        return inserted


@cache
def _statement(table: str) -> bytes:
    return (shipped("schema") / "load" / f"{table}.sql").read_bytes()
