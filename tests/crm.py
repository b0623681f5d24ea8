"""Rows of a CRM, in as few words as a test can say them; and the engines, run at an instant."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from workers import clock
from workers.db.session import Connection
from workers.engines.registry import engine_named
from workers.runtime.dispatch import Report, run_engine

# A Monday morning; tests that do not say otherwise happen then.
NOW = datetime.fromisoformat("2026-03-02T09:00:00+00:00")


def days(number: float) -> timedelta:
    return timedelta(days=number)


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
        return self.one(statement, *wrapped)["id"]

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
        return self.insert("quotes", **defaults | {"sent_at": NOW - days(5), "next_follow_up_at": NOW - days(2)} | values)

    def schedule(self, tenant: UUID, **values: Any) -> UUID:
        defaults = {"tenant_id": tenant, "compliance_type": "Supplier declaration", "frequency": "annual"}
        return self.insert(
            "compliance_schedule",
            **defaults | {"target_entity_type": "client", "next_due_at": NOW + days(10)} | values,
        )

    def one(self, statement: Any, *parameters: Any) -> dict[str, Any]:
        """Run a statement at the fleet's clock and return its one row."""
        with self.connection.transaction():
            self.connection.execute(
                "SELECT set_config('fleet.now', %s, true)", [(clock.override() or NOW).isoformat()]
            )
            row = self.connection.execute(statement, parameters).fetchone()
        assert row is not None
        return row

    def row(self, table: str, id: UUID) -> dict[str, Any]:  # noqa: A002  # the column's name
        return self.one(sql.SQL("SELECT * FROM {} WHERE id = %s").format(sql.Identifier(table)), id)

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run a query and return its rows."""
        return self.connection.execute(statement, parameters).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str, *parameters: Any) -> None:
        """Run a statement at the fleet's clock."""
        with self.connection.transaction():
            self.connection.execute(
                "SELECT set_config('fleet.now', %s, true)", [(clock.override() or NOW).isoformat()]
            )
            self.connection.execute(statement, parameters)  # type: ignore[arg-type]

    def run(self, engine: str, at: datetime = NOW, batch_size: int = 100) -> Report:
        """Run an engine by hand, as if it were `at`."""
        with clock.at(at):
            report = run_engine(self.connection, engine_named(engine), trigger="manual", batch_size=batch_size)
        assert report is not None
        assert not report.failures, report.failures
        return report

    def actions(self, **equals: Any) -> list[dict[str, Any]]:
        """Return the outbox in the order it was written, narrowed down by equal columns."""
        rows = self.rows("SELECT * FROM scheduled_actions ORDER BY id")
        return [row for row in rows if all(row[name] == value for name, value in equals.items())]

    def templates(self) -> Counter[str]:
        """Return how many actions of each template were written."""
        return Counter(row["template"] for row in self.actions())
