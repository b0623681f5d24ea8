"""Enrichment: merge found contact data into contacts; fill what is empty, record what differs."""

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from workers.db.session import Connection
from workers.engines.base import Engine, Tally
from workers.insight.merge import merge_contact

_CONTACT_FIELDS = ("first_name", "last_name", "email", "title", "phone", "mobile", "linkedin_url", "company")


def _batch(connection: Connection, tenant: UUID, limit: int, _run: int) -> Tally:
    claimed = connection.execute("SELECT * FROM claim_enrichment(%s, %s)", [tenant, limit]).fetchall()
    tally = Tally(due=sum(not row["busy"] for row in claimed), busy=sum(row["busy"] for row in claimed))
    # Several rows may speak of one contact: each sees what the ones before it filled in.
    contacts: dict[UUID, dict[str, str | None]] = {}
    results = []
    for row in claimed:
        if not row["busy"]:
            result = _decide(row, contacts)
            tally.note("skipped" if result["status"] == "skipped" else "acted", result["error"] or "merged", 1)
            results.append(result)
    connection.execute("SELECT settle_enrichment(%s, %s)", [tenant, Jsonb(results)])
    return tally


def _decide(row: dict[str, Any], contacts: dict[UUID, dict[str, str | None]]) -> dict[str, Any]:
    result = {"queue_id": str(row["queue_id"]), "contact_id": None, "status": "skipped", "error": None}
    if row["contact_id"] is None:
        return result | {"error": "no contact with this address"}
    if not isinstance(row["extracted_data"], dict) or not row["extracted_data"]:
        return result | {"error": f"nothing to merge: {row['source']} brought no data"}
    current = contacts.setdefault(row["contact_id"], {name: row[name] for name in _CONTACT_FIELDS})
    merge = merge_contact(current, row["extracted_data"], row["source"])
    current.update(merge.fill)
    return result | {
        "contact_id": str(row["contact_id"]),
        "status": "completed",
        "fill": merge.fill,
        "conflicts": list(merge.conflicts),
    }


ENRICHMENT = Engine("enrichment", _batch)
