"""The fleet's own CSV files: which columns they have, and which row each line becomes."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from workers.load.job import Job
from workers.load.layout import Layout
from workers.load.references import References, identify
from workers.load.report import Problem
from workers.load.row import Row, RowError
from workers.load.table import Place
from workers.load.text import quoted
from workers.load.writer import Draft

_zones: Final = cache(available_timezones)  # which looks through the folders of the machine
_MONEY: Final = 10**12
_MOST_NAMED: Final = 5
_QUOTE_STATUSES: Final = (
    "draft", "pending_approval", "sent", "viewed", "accepted", "rejected", "expired", "countered",
)  # fmt: skip
_DEAL_STATUSES: Final = ("open", "won", "lost")
_OUTCOMES: Final = ("won", "lost", "no_decision")
_CLOSED_STAGES: Final = frozenset({"won", "lost", "closed_won", "closed_lost"})


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One file of the own format: its table, its columns, and the tables its lines name rows of."""

    table: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    names: tuple[str, ...]
    draft: Callable[[Row, UUID, References], Draft]
    attributes: bool = False  # any other column is kept as an attribute of that name


def load_tenants(job: Job, place: Place, layout: Layout) -> set[str]:
    """Load a file of tenants, and return their names."""
    names: set[str] = set()

    def handle(rows: list[Row]) -> None:
        drafts = job.drafts(place, "tenants", rows, _tenant)
        job.writer.write("tenants", place.name, drafts)
        names.update(draft.name for draft in drafts if draft.name)

    job.read(place, layout, *TENANT_COLUMNS, handle, others="not loaded")
    return names


def load_file(job: Job, place: Place, layout: Layout, file: OwnFile) -> None:
    """Load one of `FILES`; the tenants, and what else its lines name, are in the database."""
    gaps = _Gaps(job.references)

    def handle(rows: list[Row]) -> None:
        tenants: dict[int, UUID] = {}
        known = []
        for row in rows:
            try:
                tenant = _tenant_of(row, job)
                known.append(replace(row, zone=job.references.zone_of(tenant)))
                tenants[row.line] = tenant
            except RowError as error:
                job.report.counts(file.table).read += 1
                job.report.reject(file.table, Problem(place.name, row.line, str(error)))
        for table in (file.table, *file.names):
            job.references.cover(table, tenants.values())

        def draft(row: Row) -> Draft:
            if layout.lenient:
                gaps.leave(row, tenants[row.line], file.optional)
            return file.draft(row, tenants[row.line], job.references)

        job.writer.write(file.table, place.name, job.drafts(place, file.table, known, draft))

    others = "kept as attributes" if file.attributes else "not loaded"
    job.read(place, layout, file.required, file.optional, handle, others=others)
    job.report.notes += [f"{place.name}: {note}" for note in gaps.notes()]


class _Gaps:
    """What an export names that cannot be placed, and that a row can do without."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._owners: Counter[str] = Counter()
        self._contacts = 0

    def leave(self, row: Row, tenant: UUID, columns: Collection[str]) -> None:
        """Blank an owner who is no profile, and contacts of whom it does not say which is meant.

        Where the table has no such column, it is an attribute of that name, and stays.
        """
        owner = row.text("owner") if "owner" in columns else None
        if owner is not None:
            try:
                self._references.find("profiles", tenant, owner)
            except RowError:
                self._owners[owner] += 1
                row.values["owner"] = ""
        if "contact" in columns and ";" in row.values.get("contact", ""):
            self._contacts += 1
            row.values["contact"] = ""

    def notes(self) -> list[str]:
        """Say what was left."""
        notes = []
        if self._owners:
            named = ", ".join(f"{quoted(name)} ({times}x)" for name, times in self._owners.most_common(_MOST_NAMED))
            more = f" and {len(self._owners) - _MOST_NAMED} more" if len(self._owners) > _MOST_NAMED else ""
            notes.append(f"without an owner, as no profile is called {named}{more}: profiles.csv can bring them first")
        if self._contacts:
            notes.append(f"rows that name several contacts are loaded without one ({self._contacts}x)")
        return notes


def _tenant_of(row: Row, job: Job) -> UUID:
    if job.tenant is not None and "tenant" not in row.values:
        return job.tenant
    return job.references.tenant(row.required("tenant"))


def _tenant(row: Row) -> Draft:
    name = row.required("tenant")
    zone = row.text("time_zone")
    if zone is not None and zone not in _zones():
        raise RowError(f"time_zone {quoted(zone)} is not a time zone like Europe/Berlin")
    record = {
        "id": identify("tenants", None, name),
        "name": name,
        "time_zone": zone,
        "from_name": row.text("from_name"),
        "from_address": row.address("from_address"),
        "paused": row.flag("paused", default=False),
    }
    return Draft(row.line, record, name)


def _profile(row: Row, tenant: UUID, references: References) -> Draft:
    row.required("email")
    email = row.address("email") or ""
    if external_id := row.text("external_id"):
        references.alias("profiles", tenant, external_id, email)
    fields = {"email": email, "full_name": row.text("full_name"), "role": row.text("role")}
    return _draft("profiles", row, tenant, fields, name=email)


def _client(row: Row, tenant: UUID, references: References) -> Draft:
    name = row.required("company_name")
    fields = {
        "company_name": name,
        "owner_id": references.find("profiles", tenant, row.text("owner")),
        "industry": row.text("industry"),
        "country": row.text("country"),
        "status": row.text("status"),
        "attributes": _attributes(row, _CLIENTS),
    }
    return _draft("clients", row, tenant, fields, name=name, external_id=row.text("external_id"))


def _contact(row: Row, tenant: UUID, references: References) -> Draft:
    email, external_id = row.address("email"), row.text("external_id")
    if email is None and external_id is None:
        raise RowError("email is missing; a contact without one needs an external_id")
    client = references.find("clients", tenant, row.text("client"))
    fields = {
        "client_id": client,
        "email": email,
        "first_name": row.text("first_name"),
        # Which part of a full name is the first one, nobody can tell.
        "last_name": row.text("last_name") or (None if row.text("first_name") else row.text("full_name")),
        **{name: row.text(name) for name in ("title", "phone", "mobile", "linkedin_url")},
        # Without the column, the contact that comes first in the file speaks for its client.
        "is_primary": row.flag("is_primary", default=False) if "is_primary" in row.values else None,
        "attributes": _attributes(row, _CONTACTS),
    }
    return _draft("contacts", row, tenant, fields, name=email, external_id=external_id)


def _deal(row: Row, tenant: UUID, references: References) -> Draft:
    external_id = row.required("external_id")
    status = row.choice("status", _DEAL_STATUSES)
    stage = row.required("stage").casefold() if status in {None, "open"} else status
    closed_at = row.instant("closed_at")
    if closed_at is not None and stage not in _CLOSED_STAGES:
        raise RowError(f"closed_at is given, but the stage is {quoted(stage)}")
    expected = row.day("expected_close_date")
    fields = {
        "title": row.required("title"),
        "stage": stage,
        **_client_and_contact(row, tenant, references),
        "owner_id": references.find("profiles", tenant, row.text("owner")),
        "value": row.amount("value", below=_MONEY),
        "probability": row.integer("probability", range(101)),
        "expected_close_date": expected,
        "description": row.text("description"),
        "created_at": row.instant("created_at"),
        "last_activity_at": row.instant("last_activity_at") or row.instant("created_at"),
        "auto_follow_up_enabled": row.flag("auto_follow_up", default=True),
        "closed_at": closed_at,
        "closed_from_stage": None,
        "history_id": identify("deal_stage_history", tenant, external_id),
    }
    return _draft("deals", row, tenant, fields, name=None, external_id=external_id)


def _order(row: Row, tenant: UUID, references: References) -> Draft:
    number = row.required("order_number")
    delivered_at = row.instant("delivered_at")
    fields = {
        "order_number": number,
        **_client_and_contact(row, tenant, references),
        "status": row.text("status") or ("delivered" if delivered_at else None),
        "delivered_at": delivered_at,
        "created_at": row.instant("created_at"),
    }
    return _draft("orders", row, tenant, fields, name=number)


def _quote(row: Row, tenant: UUID, references: References) -> Draft:
    number = row.required("quote_number")
    status = row.choice("status", _QUOTE_STATUSES) or "draft"
    outcome = row.choice("outcome", _OUTCOMES) or {"accepted": "won", "rejected": "lost"}.get(status)
    sent_at = row.instant("sent_at")
    if status in {"sent", "viewed"} and sent_at is None:
        raise RowError(f"sent_at is missing for a quote that is {status}")
    row.required("total_amount")
    fields = {
        "quote_number": number,
        "title": row.text("title"),
        "description": row.text("description"),
        **_client_and_contact(row, tenant, references),
        "deal_id": references.find("deals", tenant, row.text("deal")),
        "status": status,
        "total_amount": row.amount("total_amount", below=10**10),
        "valid_until": row.day("valid_until"),
        "sent_at": sent_at,
        "responded_at": row.instant("responded_at"),
        "created_at": row.instant("created_at") or sent_at,
        "outcome": outcome,
        "outcome_reason": row.text("outcome_reason"),
        "outcome_id": identify("quote_outcomes", tenant, number),
    }
    return _draft("quotes", row, tenant, fields, name=number)


def _client_and_contact(row: Row, tenant: UUID, references: References) -> dict[str, UUID | None]:
    return {
        "client_id": references.find("clients", tenant, row.text("client")),
        "contact_id": references.find("contacts", tenant, row.text("contact")),
    }


def _attributes(row: Row, file: OwnFile) -> dict[str, str]:
    known = {*file.required, *file.optional} - {"external_id"}
    return {column: value for column, value in row.values.items() if column and value and column not in known}


def _draft(
    table: str,
    row: Row,
    tenant: UUID,
    fields: dict[str, Any],
    *,
    name: str | None,
    external_id: str | None = None,
) -> Draft:
    row_id = identify(table, tenant, external_id or name or "")
    return Draft(row.line, {"id": row_id, "tenant_id": tenant, **fields}, name, external_id)


TENANT_COLUMNS: Final = ("tenant",), ("time_zone", "from_name", "from_address", "paused")
_CLIENTS: Final = OwnFile(
    "clients",
    ("tenant", "company_name"),
    ("external_id", "owner", "industry", "country", "status"),
    ("profiles",),
    _client,
    attributes=True,
)
_CONTACTS: Final = OwnFile(
    "contacts",
    ("tenant", "email"),
    (
        "external_id",
        "client",
        "first_name",
        "last_name",
        "full_name",
        "title",
        "phone",
        "mobile",
        "linkedin_url",
        "is_primary",
    ),
    ("clients",),
    _contact,
    attributes=True,
)

# In the order in which they name each other; tenants.csv comes before them all.
FILES: Final = (
    OwnFile("profiles", ("tenant", "email"), ("external_id", "full_name", "role"), (), _profile),
    _CLIENTS,
    _CONTACTS,
    OwnFile(
        "deals",
        ("tenant", "external_id", "title", "stage"),
        (
            "client", "contact", "owner", "value", "probability", "expected_close_date", "description",
            "created_at", "last_activity_at", "closed_at", "status", "auto_follow_up",
        ),
        ("profiles", "clients", "contacts"),
        _deal,
    ),
    OwnFile(
        "orders",
        ("tenant", "order_number"),
        ("client", "contact", "status", "delivered_at", "created_at"),
        ("clients", "contacts"),
        _order,
    ),
    OwnFile(
        "quotes",
        ("tenant", "quote_number", "total_amount"),
        (
            "title", "description", "client", "contact", "deal", "status", "valid_until", "sent_at",
            "responded_at", "created_at", "outcome", "outcome_reason",
        ),
        ("clients", "contacts", "deals"),
        _quote,
    ),
)  # fmt: skip
