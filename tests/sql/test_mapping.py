"""If these fail, a recipe of docs/how-to/mapping.md does not do what it says, beside a CRM that relies on it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.inbound import stored
from tests.letters import OURS, letter
from tests.sql.test_migrations import dump
from workers.correspondence import Answered, message_id
from workers.db.migrate import migrate, rollback
from workers.db.session import Connection, connect
from workers.errors import UnfitDatabaseError

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "mapping.md"
OLD, NEW = "ann@acme.example", "ann.archer@acme.example"


def recipe(heading: str) -> tuple[str, str]:
    """Return the SQL under a heading of the page: what makes the mapping, and what takes it back."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    make, undo = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    return make, undo


@pytest.fixture
def small_crm(empty_database: str) -> str:
    with connect(empty_database) as connection:
        connection.execute(Path(__file__).with_name("small_crm.sql").read_bytes())
    return empty_database


@pytest.fixture
def json_crm(small_crm: str) -> Iterator[str]:
    """The URL of a CRM that keeps addresses in JSON, and one contact; its programs log in as crm_app."""
    with connect(small_crm) as connection:
        connection.execute("ALTER TABLE contacts DROP email, ADD email jsonb")
        connection.execute("CREATE ROLE crm_app")
        connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO crm_app")
        crm = Crm(connection)
        tenant = crm.tenant()
        crm.contact(tenant, crm.client(tenant), email={"primaryEmail": OLD, "additionalEmails": []})
        yield small_crm
        connection.execute("DROP OWNED BY crm_app; DROP ROLE crm_app")


@contextmanager
def as_crm(connection: Connection) -> Iterator[None]:
    """Act as the CRM's programs do once they have logged in anew."""
    with connection.transaction():
        connection.execute("SET LOCAL ROLE crm_app")
        path = connection.execute(
            "SELECT substring(c FROM '=(.*)') AS path FROM pg_roles, unnest(rolconfig) AS c WHERE rolname = 'crm_app'"
        ).fetchone()
        assert path is not None
        connection.execute(f"SET LOCAL search_path = {path['path']}")
        yield


def test_addresses_in_json_are_written_to_matched_suppressed_and_filled_in(json_crm: str) -> None:
    make, undo = recipe("E-mail addresses in JSON")
    with pytest.raises(UnfitDatabaseError, match=r"contacts.email: jsonb; .*mapping\.md"):
        migrate(json_crm)
    before = dump(json_crm)
    with connect(json_crm) as connection:
        connection.execute(make.encode())
        migrate(json_crm)
        crm = Crm(connection)
        [contact] = crm.rows("SELECT id, tenant_id, client_id FROM public.contacts")
        tenant: UUID = contact["tenant_id"]
        crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", OURS, tenant)
        deal = crm.deal(tenant, client_id=contact["client_id"], contact_id=contact["id"])
        crm.read("go_live", tenant, None, "olive")
        crm.open_always(tenant, mails=9)

        with as_crm(connection):  # which knows nothing of the fleet, and changes the address
            [row] = connection.execute("SELECT email FROM contacts").fetchall()
            assert row["email"]["primaryEmail"] == OLD
            connection.execute("UPDATE contacts SET email = %s", [Jsonb({"primaryEmail": NEW})])
        crm.run("deals")
        assert crm.send() == 1
        [sent] = crm.actions(status="sent")
        assert sent["sent_to"] == NEW

        ours = message_id(Answered(sent["id"], tenant), "northwind.example")
        stored(connection, letter("Please call me.", sender=NEW, answers=[ours]))
        assert crm.row("deals", deal)["follow_up_hold"] == "an answer to the customer"

        crm.execute("INSERT INTO suppressions (tenant_id, address, reason) VALUES (%s, %s, 'left')", tenant, NEW)
        crm.order(tenant, client_id=contact["client_id"], contact_id=contact["id"], delivered_at=NOW - days(9))
        crm.run("feedback")
        assert crm.send() == 0

        with as_crm(connection):
            connection.execute("INSERT INTO contacts (tenant_id, first_name) VALUES (%s, 'Bob')", [tenant])
        bob = crm.one("SELECT id FROM public.contacts WHERE first_name = 'Bob'")["id"]
        crm.update("contacts", bob, email="bob@acme.example")  # found by the fleet
        with as_crm(connection):
            [row] = connection.execute("SELECT email FROM contacts WHERE first_name = 'Bob'").fetchall()
            assert row["email"] == {"primaryEmail": "bob@acme.example"}
            connection.execute("DELETE FROM contacts WHERE first_name = 'Bob'")
            connection.execute("UPDATE contacts SET email = %s", [Jsonb({"primaryEmail": OLD, "additionalEmails": []})])
        with connection.transaction():
            connection.execute("DELETE FROM public.orders; DELETE FROM public.deals")
        rollback(json_crm)
        connection.execute(undo.encode())
    assert dump(json_crm) == before


def test_stages_of_another_table_are_read_and_a_change_of_stage_counts(small_crm: str) -> None:
    make, undo = recipe("Stages that are rows of another table")
    with connect(small_crm) as connection:
        connection.execute(
            "ALTER TABLE deals DROP stage; CREATE TABLE stages (id integer PRIMARY KEY, name text);"
            "INSERT INTO stages VALUES (1, 'Lead'), (2, 'Proposal'), (3, 'Closed Won');"
            "ALTER TABLE deals ADD stage_id integer REFERENCES stages (id)"
        )
        before = dump(small_crm)
        connection.execute(make.encode())
        migrate(small_crm)
        crm = Crm(connection)
        tenant = crm.tenant()
        deal = crm.insert("deals", tenant_id=tenant, title="Ten licences", stage_id=1, last_activity_at=NOW - days(30))
        assert [row["stage"] for row in crm.read("get_stalled_deals", tenant)] == ["Lead"]
        crm.update("deals", deal, stage_id=2)
        row = crm.row("deals", deal)
        assert (row["stage"], row["last_activity_at"], row["stalls_at"]) == ("Proposal", NOW, NOW + days(5))
        assert crm.rows("SELECT from_stage, to_stage FROM deal_stage_history") == [
            {"from_stage": "Lead", "to_stage": "Proposal"}
        ]
        crm.update("deals", deal, stage_id=3)
        assert crm.row("deals", deal)["follow_up_ended_for"] == "closed"
        crm.execute("UPDATE stages SET name = 'Signed' WHERE id = 3")
        assert crm.row("deals", deal)["stage"] == "Signed"
        crm.execute("UPDATE stages SET name = 'Closed Won' WHERE id = 3")
        connection.execute("DELETE FROM deals; DELETE FROM tenants")
        rollback(small_crm)
        connection.execute(undo.encode())
    assert dump(small_crm) == before
