"""If these fail, who gets a task has to search the CRM for what it is about, or does not see that it is due."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import Asked, followed_up, northwind, stored
from tests.letters import letter
from tests.outbox import run
from tests.shell import fleet
from workers.db.session import Connection
from workers.settings import settings

TEMPLATE = "https://crm.example/{table}/{id}?tenant={tenant}"


@pytest.fixture
def linked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A CRM that shows things at addresses of its own."""
    monkeypatch.setenv("FLEET_LINK_TEMPLATE", TEMPLATE)
    settings.cache_clear()
    yield
    settings.cache_clear()


def filed(connection: Connection, crm: Crm) -> list[dict[str, Any]]:
    run(connection, None)
    return crm.rows("SELECT * FROM tasks ORDER BY title")


def answered(connection: Connection, crm: Crm) -> Asked:
    ask = followed_up(crm)
    stored(connection, letter("Could you deliver in May?", answers=[ask.message_id]))
    return ask


def link(table: str, item: UUID, tenant: UUID) -> str:
    return TEMPLATE.replace("{table}", table).replace("{id}", str(item)).replace("{tenant}", str(tenant))


@pytest.mark.usefixtures("linked")
def test_a_task_about_an_answer_links_to_the_mail_and_to_what_it_answers(connection: Connection, crm: Crm) -> None:
    ask = answered(connection, crm)
    [task] = filed(connection, crm)
    [mail] = crm.rows("SELECT id FROM inbound_messages")
    assert f"  - quote {ask.subject} {link('quotes', ask.subject, ask.tenant)}\n" in task["description"]
    assert (
        f"  - inbound message {mail['id']} {link('inbound_messages', mail['id'], ask.tenant)}\n" in task["description"]
    )
    assert "could not be written" not in task["description"]


def test_without_a_template_the_ids_stand_there(connection: Connection, crm: Crm) -> None:
    ask = answered(connection, crm)
    [task] = filed(connection, crm)
    assert f"  - quote {ask.subject}\n" in task["description"]
    assert "http" not in task["description"]


@pytest.mark.usefixtures("linked")
def test_a_list_of_deals_links_to_each_by_its_name(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    owner = crm.profile(tenant)
    deals = {
        title: crm.deal(
            tenant, owner_id=owner, contact_id=crm.contact(tenant), title=title, last_activity_at=NOW - days(300)
        )
        for title in ("Cranes", "Two\nlines")
    }
    crm.run("deals")
    run(connection, None, NOW + days(1))
    [task] = crm.rows("SELECT * FROM tasks")
    for title, deal in deals.items():
        name = " ".join(title.split())
        assert f"  - deal {name} {deal} {link('deals', deal, tenant)}\n" in task["description"]


def test_what_the_command_shows_of_a_task_is_what_its_reader_gets(
    connection: Connection, crm: Crm, database_url: str
) -> None:
    answered(connection, crm)
    [action] = crm.actions(kind="task")
    [task] = filed(connection, crm)
    shown = fleet(database_url, "actions", "show", str(action["id"])).stdout
    for line in filter(None, task["description"].splitlines()):
        assert line.strip() in " ".join(shown.split()) or line in shown


def test_a_crm_that_links_its_tasks_finds_the_links_filled(connection: Connection, crm: Crm) -> None:
    crm.execute(
        "ALTER TABLE tasks ADD deal_id uuid REFERENCES deals (id), ADD quote_id uuid REFERENCES quotes (id),"
        " ADD client_id text, ADD contact_id uuid NOT NULL REFERENCES contacts (id), ADD order_id uuid"
    )
    tenant = northwind(crm)
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    deal = crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=NOW)
    quote = crm.quote(tenant, client_id=client, contact_id=contact, deal_id=deal)
    stored(connection, letter("A fresh mail: could you call me?"))
    stored(connection, letter("We take it.", sender="Ann <ann@acme.example>"))
    crm.action(
        tenant, kind="task", engine="quotes", template="quote_handover", subject_type="quote", subject_id=quote,
        client_id=client, contact_id=contact, variables={"n": 1},
    )  # fmt: skip
    crm.update("quotes", quote, follow_up_hold=None)
    tasks = filed(connection, crm)
    [about_quote] = [task for task in tasks if task["quote_id"] is not None]
    assert (about_quote["quote_id"], about_quote["deal_id"]) == (quote, deal)
    assert {(task["client_id"], task["contact_id"], task["order_id"]) for task in tasks} == {
        (str(client), contact, None)
    }


@pytest.mark.parametrize(
    "column",
    [
        "quote_id integer", "quote_id varchar(20)", "quote_id uuid REFERENCES crm_quotes (id)",
        "quote_id uuid GENERATED ALWAYS AS (NULL::uuid) STORED", "quote_id uuid[]",
    ],
)  # fmt: skip
def test_a_column_that_is_meant_for_something_else_is_left_alone(connection: Connection, crm: Crm, column: str) -> None:
    crm.execute("CREATE TABLE crm_quotes (id uuid PRIMARY KEY)")
    crm.execute(f"ALTER TABLE tasks ADD {column}")
    answered(connection, crm)
    [task] = filed(connection, crm)
    assert task["quote_id"] is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("due_date date", date(2026, 3, 3)), ("deadline timestamptz", NOW + days(1))],
)
def test_a_task_is_due_in_the_column_that_the_crm_shows(
    connection: Connection, crm: Crm, column: str, value: object
) -> None:
    crm.execute(f"ALTER TABLE tasks ADD {column}")
    answered(connection, crm)
    [task] = filed(connection, crm)
    assert task[column.split(maxsplit=1)[0]] == value
    assert task["due_at"] == NOW + days(1)


def test_a_task_is_somebodys_though_nobody_owns_what_it_is_about(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    somebody = crm.profile(tenant, role="member")
    crm.action(
        tenant, kind="task", engine="enrichment", subject_type="none", template="opportunity_signal", assigned_to=None
    )
    run(connection, None)
    [task] = crm.rows("SELECT assigned_to FROM tasks")
    assert task["assigned_to"] == somebody
