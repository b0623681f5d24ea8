"""Enrichment, last step: merge what was found into contacts; fill what is empty, record what differs."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from workers.db.session import Connection
from workers.engines.base import Tally
from workers.insight.contact_values import CONTACT_FIELDS
from workers.insight.merge import Conflict, Merge, merge_contact, same_value

# Per contact the (field, proposal) pairs that people refused.
_Rejections = Mapping[UUID, list[tuple[str, str]]]


def merge_found(connection: Connection, tenant: UUID, limit: int, region: str | None) -> Tally:
    """Merge a batch of found contact data, inside the caller's transaction.

    Args:
        connection: inside a transaction.
        tenant: whose queue.
        limit: most rows to claim.
        region: the country in whose way telephone numbers are read (ISO 3166), None if the tenant never said.
    """
    claimed = connection.execute("SELECT * FROM claim_enrichment(%s, %s)", [tenant, limit]).fetchall()
    tally = Tally(due=sum(not row["busy"] for row in claimed), busy=sum(row["busy"] for row in claimed))
    rejections = _rejections(connection, tenant, [row["contact_id"] for row in claimed if row["contact_id"]])
    doubtful = _doubtful(connection, tenant, [row["queue_id"] for row in claimed])
    # Several rows may speak of one contact: each sees what the ones before it filled in.
    contacts: dict[UUID, dict[str, str | None]] = {}
    results = []
    for row in claimed:
        if not row["busy"]:
            result = _decide(row, contacts, rejections, region, certain=row["queue_id"] not in doubtful)
            tally.note("skipped" if result["status"] == "skipped" else "acted", result["error"] or "merged", 1)
            results.append(result)
    connection.execute("SELECT settle_enrichment(%s, %s)", [tenant, Jsonb(results)])
    return tally


def _rejections(connection: Connection, tenant: UUID, contacts: list[UUID]) -> _Rejections:
    found: dict[UUID, list[tuple[str, str]]] = {}
    for row in connection.execute("SELECT * FROM rejected_proposals(%s, %s)", [tenant, contacts]):
        found.setdefault(row["contact_id"], []).append((row["field"], row["proposed"]))
    return found


def _doubtful(connection: Connection, tenant: UUID, queue: list[UUID]) -> set[UUID]:
    """The rows whose contact was found by an address that several contacts have."""
    rows = connection.execute("SELECT * FROM doubtful_enrichment(%s, %s)", [tenant, queue])
    return {row["queue_id"] for row in rows}


def _decide(
    row: dict[str, Any],
    contacts: dict[UUID, dict[str, str | None]],
    rejections: _Rejections,
    region: str | None,
    *,
    certain: bool,
) -> dict[str, Any]:
    result = {"queue_id": str(row["queue_id"]), "contact_id": None, "status": "skipped", "error": None}
    if row["contact_id"] is None:
        return result | {"error": "no contact with this address"}
    if not isinstance(row["extracted_data"], dict) or not row["extracted_data"]:
        return result | {"error": f"nothing to merge: {row['source']} brought no data"}
    current = contacts.setdefault(row["contact_id"], {name: row[name] for name in CONTACT_FIELDS})
    merge = merge_contact(current, row["extracted_data"], row["source"], region, certain=certain)
    current.update(merge.fill)
    rejected = rejections.get(row["contact_id"], [])
    return result | {
        "contact_id": str(row["contact_id"]),
        "status": "completed",
        "error": "; ".join(_remarks(merge, certain=certain)) or None,
        "fill": merge.fill,
        "conflicts": [conflict for conflict in merge.conflicts if not _was_rejected(conflict, rejected, region)],
    }


def _remarks(merge: Merge, *, certain: bool) -> Iterator[str]:
    if merge.conflicts and not certain:
        yield "several contacts have this address: nothing was filled"
    if merge.refused:
        yield f"not taken over, as it is none: {', '.join(merge.refused)}"


def _was_rejected(conflict: Conflict, rejected: list[tuple[str, str]], region: str | None) -> bool:
    return any(
        field == conflict["field"] and same_value(field, proposed, conflict["proposed"], region)
        for field, proposed in rejected
    )
