"""If these fail, what was told long ago slows down what is to be told now, or users read a secret."""

from datetime import datetime
from uuid import UUID

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_plans import cost
from tests.sql.test_rls import acting
from tests.webhooks import endpoint
from workers.db.session import Connection

CLAIM = "claim_webhooks('me', '1 minute', 20, %(before)s)"


def fill(crm: Crm, number: int, status: str, run_at: datetime) -> None:
    """Let events of the one endpoint stand there."""
    crm.execute(
        "INSERT INTO webhook_deliveries"
        " (tenant_id, endpoint_id, event, dedupe_key, data, occurred_at, run_at, give_up_at, status)"
        " SELECT e.tenant_id, e.id, 'action.sent', gen_random_uuid()::text, '{}', %s, %s, %s, %s"
        " FROM webhook_endpoints AS e, generate_series(1, %s)",
        NOW, run_at, NOW + days(5), status, number,
    )  # fmt: skip


def test_claiming_and_sweeping_cost_what_is_due_not_what_was_told(connection: Connection, crm: Crm) -> None:
    tenant = UUID(int=1)
    crm.execute("INSERT INTO tenants (id, name) VALUES (%s, 'Northwind')", tenant)
    endpoint(crm, tenant, "https://hooks.example/")
    fill(crm, 20_000, "delivered", NOW - days(1))
    fill(crm, 20_000, "pending", NOW + days(1))
    fill(crm, 5, "pending", NOW)
    connection.execute("VACUUM ANALYZE")

    claimed = cost(connection, CLAIM, tenant, "webhook_deliveries")
    assert (claimed.returned, claimed.scans) == (5, 0)
    assert claimed.rows <= 20
    swept = cost(connection, "sweep_webhooks()", tenant, "webhook_deliveries")
    assert (swept.rows, swept.scans) == (0, 0)


def test_finding_that_nothing_is_due_costs_next_to_nothing(connection: Connection, crm: Crm) -> None:
    found = cost(connection, CLAIM, crm.tenant(), "webhook_deliveries")
    assert (found.returned, found.all_rows) == (0, {})


def test_a_users_own_tenant_has_endpoints_and_no_secret(connection: Connection, crm: Crm) -> None:
    tenant, other = crm.tenant("ours"), crm.tenant("theirs")
    user = crm.profile(tenant)
    _, secret = endpoint(crm, tenant, "https://hooks.example/ours")
    endpoint(crm, other, "https://hooks.example/theirs")
    crm.action(tenant)
    crm.action(other)

    with acting(connection, "authenticated", user):
        seen = connection.execute("SELECT * FROM webhook_endpoints").fetchall()
        told = connection.execute("SELECT * FROM webhook_deliveries").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SELECT * FROM webhook_secrets")
    assert [row["url"] for row in seen] == ["https://hooks.example/ours"]
    assert {row["tenant_id"] for row in told} == {tenant}
    assert secret not in str(seen) + str(told)


def test_of_who_is_forgotten_nobody_is_told_any_more(crm: Crm) -> None:
    tenant = crm.tenant()
    endpoint(crm, tenant, "https://hooks.example/")
    client = crm.client(tenant)
    ann = crm.contact(tenant, client, email="ann@acme.example")
    bob = crm.contact(tenant, client, email="bob@acme.example")
    for contact in (ann, bob):
        crm.action(tenant, client_id=client, contact_id=contact, recipient=None)

    crm.read("forget_person", tenant, "ann@acme.example", "us", "asked by letter")
    assert [row["of"] for row in crm.rows("SELECT data ->> 'contact_id' AS of FROM webhook_deliveries")] == [str(bob)]
