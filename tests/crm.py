"""Rows of a CRM, in as few words as a test can say them; and the engines, run at an instant."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from workers import clock
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines, engine_named
from workers.runtime.dispatch import Report, run_engine

T = TypeVar("T")

# A Monday morning; tests that do not say otherwise happen then.
NOW = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
# The table whose rows are the work of an engine.
WORKED = {
    "feedback": "feedback_requests",
    "deals": "deals",
    "quotes": "quotes",
    "enrichment": "contact_enrichment_queue",
    "compliance": "compliance_checks",
}


def days(number: float) -> timedelta:
    return timedelta(days=number)


def wait_until(happened: Callable[[], T], what: str = "it", seconds: float = 90) -> T:
    """Wait for something another session or process does; returns what says that it did."""
    deadline = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} seconds"
        time.sleep(0.005)
    return value


def supports_nobody(connection: Connection, revision: str) -> None:
    """Let the database be of a later release, with a schema that no worker of this one can live with."""
    connection.execute("UPDATE fleet_schema_version SET version_num = %s", [revision])
    connection.execute(
        sql.SQL(
            "CREATE OR REPLACE FUNCTION supported_from() RETURNS text LANGUAGE sql IMMUTABLE"
            " SET search_path = public, pg_temp AS {}"
        ).format(sql.Literal(f"SELECT '{revision}'"))
    )


class Crm:
    """Inserts rows with believable defaults and reads them back; every method returns ids or dicts."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def insert(self, table: str, **values: Any) -> UUID:
        """Insert one row at the fleet's clock and return its id."""
        wrapped = [Jsonb(value) if isinstance(value, dict) else value for value in values.values()]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        id: UUID = self.one(statement, *wrapped)["id"]  # noqa: A001  # the column's name
        return id

    def tenant(self, name: str = "Northwind") -> UUID:
        return self.insert("tenants", name=name)

    def profile(self, tenant: UUID, **values: Any) -> UUID:
        return self.insert("profiles", **{"tenant_id": tenant, "full_name": "Olive Owner", "role": "sales"} | values)

    def client(self, tenant: UUID, **values: Any) -> UUID:
        return self.insert("clients", **{"tenant_id": tenant, "company_name": "Acme"} | values)

    def contact(self, tenant: UUID, client: UUID | None = None, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "client_id": client, "first_name": "Ann", "email": "ann@acme.example"}
        return self.insert("contacts", **defaults | {"is_primary": True} | values)

    def order(self, tenant: UUID, **values: Any) -> UUID:
        return self.insert("orders", **{"tenant_id": tenant, "order_number": "O-1", "status": "delivered"} | values)

    def deal(self, tenant: UUID, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "title": "Ten licences", "stage": "lead", "last_activity_at": NOW - days(30)}
        return self.insert("deals", **defaults | values)

    def quote(self, tenant: UUID, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "title": "Ten licences", "status": "sent", "total_amount": 100}
        defaults |= {"sent_at": NOW - days(5), "next_follow_up_at": NOW - days(2)}
        return self.insert("quotes", **defaults | values)

    def schedule(self, tenant: UUID, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "compliance_type": "Supplier declaration", "frequency": "annual"}
        return self.insert(
            "compliance_schedule",
            **defaults | {"target_entity_type": "client", "next_due_at": NOW + days(10)} | values,
        )

    def check(self, tenant: UUID, entity: UUID, **values: Any) -> UUID:
        """Insert a compliance check of a client, due in ten days."""
        defaults = {"tenant_id": tenant, "compliance_type": "Supplier declaration", "entity_type": "client"}
        defaults |= {"entity_id": entity, "entity_name": "Acme", "due_at": NOW + days(10)}
        return self.insert(
            "compliance_checks", **defaults | {"period_start": NOW.date(), "period_end": NOW.date()} | values
        )

    def enrichment(self, tenant: UUID, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "source": "email_signature", "extracted_data": {"title": "CTO"}}
        return self.insert("contact_enrichment_queue", **defaults | {"email_address": "ann@acme.example"} | values)

    def action(self, tenant: UUID, **values: Any) -> int:
        """Put an e-mail, due now, straight into the outbox, to a mailbox of its own."""
        owners = {engine.subject_type: engine.name for engine in all_engines().values()}
        engine = owners.get(values.get("subject_type", "none"), "deals")
        defaults = {"tenant_id": tenant, "engine": engine, "kind": "email", "template": "deal_follow_up"}
        defaults |= {"subject_type": "none", "subject_id": uuid4(), "recipient": f"{uuid4().hex}@acme.example"}
        defaults |= {"run_at": NOW, "dedupe_key": str(uuid4())}
        action: Any = self.insert("scheduled_actions", **defaults | values)
        return int(action)

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Write rows as they may stand there from before references were checked: without triggers and keys."""
        self.connection.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            self.connection.execute("RESET session_replication_role")

    def mode(self, tenant: UUID, engine: str, mode: str) -> None:
        """Set how a tenant wants an engine: automatic, review or off."""
        self.execute(
            "INSERT INTO engine_settings VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id, engine) DO UPDATE SET mode = excluded.mode",
            tenant, engine, mode,
        )  # fmt: skip

    def update(self, table: str, id: UUID, **values: Any) -> None:  # noqa: A002  # the column's name
        """Change columns of one row at the fleet's clock, as the CRM would."""
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
        wrapped = [Jsonb(value) if isinstance(value, dict) else value for value in values.values()]
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(sql.Identifier(table), assignments)
        self.execute(statement, *wrapped, id)

    def due_tenants(self, engine: str, at: datetime = NOW) -> set[UUID]:
        """Return the tenants that the engine would visit at an instant."""
        return {row["due_tenants"] for row in self.read("due_tenants", engine, at=at)}

    def read(self, function: str, *parameters: Any, at: datetime = NOW) -> list[dict[str, Any]]:
        """Call a SQL function as the workers do, as if it were `at`, and return its rows."""
        statement = sql.SQL("SELECT * FROM {}({})").format(
            sql.Identifier(function), sql.SQL(", ").join(sql.Placeholder() * len(parameters))
        )
        with clock.at(at), transaction(self.connection):
            return self.connection.execute(statement, parameters).fetchall()

    def one(self, statement: Any, *parameters: Any) -> dict[str, Any]:
        """Run a statement at the fleet's clock and return its one row."""
        with self.connection.transaction():
            self.connection.execute("SELECT set_config('fleet.now', %s, true)", [(clock.override() or NOW).isoformat()])
            row = self.connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row

    def row(self, table: str, id: UUID) -> dict[str, Any]:  # noqa: A002  # the column's name
        return self.one(sql.SQL("SELECT * FROM {} WHERE id = %s").format(sql.Identifier(table)), id)

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run a query and return its rows."""
        return self.connection.execute(statement, parameters).fetchall()

    def execute(self, statement: Any, *parameters: Any) -> None:
        """Run a statement at the fleet's clock."""
        with self.connection.transaction():
            self.connection.execute("SELECT set_config('fleet.now', %s, true)", [(clock.override() or NOW).isoformat()])
            self.connection.execute(statement, parameters)

    def run(self, engine: str, at: datetime = NOW, batch_size: int = 100) -> Report:
        """Run an engine by hand, as if it were `at`."""
        with clock.at(at):
            report = run_engine(self.connection, engine_named(engine), trigger="manual", batch_size=batch_size)
        assert report is not None
        assert not report.failures, report.failures
        return report

    def send(self, at: datetime = NOW) -> int:
        """Send what is due, as if it were `at`: the delivery's own SQL without a mail server; returns how many left."""
        sent = 0
        with clock.at(at):
            while claimed := self.read("claim_emails", "tests", timedelta(minutes=1), 50, 10, None, at=at):
                results = [
                    {"id": row["action_id"], "status": "sent", "address": row["address"]}
                    for row in claimed
                    if row["verdict"] is None
                ]
                self.read("settle_emails", "tests", Jsonb(results), at=at)
                sent += len(results)
        return sent

    def run_daily(self, engine: str, until: int, start: datetime = NOW) -> None:
        """Run an engine and the delivery once a day; all that is written leaves on its day."""
        for tenant in self.rows("SELECT id FROM tenants"):
            self.open_always(tenant["id"], mails=10)
        for day in range(until):
            self.run(engine, at=start + days(day))
            self.send(at=start + days(day))

    def pause(self, tenant: UUID, paused: bool = True) -> None:
        """Let a tenant's mail wait, or go on."""
        self.execute(
            "INSERT INTO tenant_delivery (tenant_id, paused) VALUES (%s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET paused = excluded.paused",
            tenant, paused,
        )  # fmt: skip

    def open_always(self, tenant: UUID, mails: int = 1) -> None:
        """Let a tenant's mail leave at every hour of every day, so many to one mailbox in a day."""
        self.execute(
            "INSERT INTO tenant_delivery"
            " (tenant_id, window_start, window_end, send_days, mails_per_day, mails_per_week)"
            " VALUES (%s, '00:00', NULL, '{1,2,3,4,5,6,7}', %s, %s)"
            " ON CONFLICT (tenant_id) DO UPDATE SET window_start = excluded.window_start, window_end = NULL,"
            " send_days = excluded.send_days, mails_per_day = excluded.mails_per_day,"
            " mails_per_week = excluded.mails_per_week",
            tenant, mails, 7 * mails,
        )  # fmt: skip

    def actions(self, **equals: Any) -> list[dict[str, Any]]:
        """Return the outbox in the order it was written, narrowed down by equal columns."""
        rows = self.rows("SELECT * FROM scheduled_actions ORDER BY id")
        return [row for row in rows if all(row[name] == value for name, value in equals.items())]

    def templates(self) -> Counter[str]:
        """Return how many actions of each template were written."""
        return Counter(row["template"] for row in self.actions())


def stalled_deal(crm: Crm, **values: Any) -> UUID:
    """Let a new tenant have one deal that was silent for nine days, with a contact to ask; return the tenant."""
    tenant = crm.tenant()
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    crm.deal(tenant, client_id=client, contact_id=contact, **{"last_activity_at": NOW - days(9)} | values)
    return tenant
