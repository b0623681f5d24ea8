"""An Apollo that knows everybody at acme.example, and the queue of those it is asked about."""

from typing import Any
from uuid import UUID

from tests.crm import Crm
from tests.provider_server import Call, Said

KEY = "right-key"
ANN = {
    "id": "64a", "first_name": "Ann", "last_name": "Archer", "title": "CTO", "email": "ann@acme.example",
    "linkedin_url": "http://www.linkedin.com/in/annarcher",
    "organization": {"name": "Acme", "primary_phone": {"number": "+1 555-0100"}},
    "contact": {"phone_numbers": [
        {"sanitized_number": "+15550100", "type": "work_hq"}, {"sanitized_number": "+4581234567", "type": "mobile"},
    ]},
}  # fmt: skip


def person(details: dict[str, str]) -> dict[str, Any] | None:
    """What this Apollo knows: everybody at acme.example."""
    return ANN | {"email": details["email"]} if details.get("email", "").endswith("@acme.example") else None


def apollo_says(call: Call, left: dict[str, str] | None = None) -> Said:
    """Answer as the real one does."""
    if call.headers.get("x-api-key") != KEY:
        return Said(401, {"error": "Invalid access credentials.", "error_code": "API_KEY_INVALID"})
    matches = [person(details) for details in call.payload["details"]]
    found = sum(match is not None for match in matches)
    body = {
        "status": "success", "error_code": None, "error_message": None, "matches": matches,
        "total_requested_enrichments": len(matches), "unique_enriched_records": found,
        "missing_records": len(matches) - found, "credits_consumed": found,
    }  # fmt: skip
    return Said(200, body, left or {"x-minute-requests-left": "99", "x-hourly-requests-left": "399"})


def waiting(crm: Crm, tenant: UUID, number: int, domain: str = "acme.example") -> list[UUID]:
    """Queue people for Apollo, each a contact of his own."""
    rows = []
    for n in range(number):
        contact = crm.contact(tenant, email=f"p{n}@{domain}", first_name=None)
        rows.append(crm.enrichment(tenant, contact_id=contact, source="apollo", extracted_data=None))
    return rows


def queue(crm: Crm, row: UUID) -> dict[str, Any]:
    return crm.row("contact_enrichment_queue", row)


def spent(crm: Crm) -> list[int]:
    return [row["credits"] for row in crm.rows("SELECT credits FROM provider_usage ORDER BY day")]
