"""If these fail, a colleague is told twice or never, or a CRM with rules of its own stops the mail."""

import pytest
from psycopg.types.json import Jsonb

from tests.crm import Crm
from tests.mail import MailServer
from tests.outbox import VARIABLES, run, write
from workers.db.session import Connection


def test_tasks_and_cases_are_filed_exactly_once(connection: Connection, crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    handover = {"template": "deal_handover", "assigned_to": owner}
    write(crm, tenant, 3, kind="task", **handover)
    write(crm, tenant, 2, kind="case", **handover)

    assert run(connection, None) == {"filed": 5}
    assert run(connection, None) == {}

    tasks, cases = crm.rows("SELECT * FROM tasks"), crm.rows("SELECT * FROM cases")
    assert (len(tasks), len(cases)) == (3, 2)
    assert {task["assigned_to"] for task in tasks} == {owner}
    assert tasks[0]["title"].startswith('Call about "Ten licences"')
    assert {row["status"] for row in crm.actions()} == {"sent"}


def test_what_the_crm_refuses_fails_alone_and_who_is_gone_is_left_out(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    crm.execute("ALTER TABLE tasks ADD CHECK (title NOT LIKE '%%forbidden%%')")
    write(crm, tenant, kind="task", template="deal_handover", variables=Jsonb(VARIABLES | {"deal": "forbidden"}))
    write(crm, tenant, 2, kind="task", template="deal_handover")
    gone = crm.contact(tenant)
    write(crm, tenant, kind="case", template="deal_handover", contact_id=gone)
    crm.execute("DELETE FROM contacts WHERE id = %s", gone)
    write(crm, tenant)

    assert run(connection, server.url) == {"filed": 3, "failed": 1, "sent": 1}
    (failed,) = crm.actions(status="failed")
    assert "the CRM refuses it" in failed["last_error"]
    assert crm.rows("SELECT contact_id FROM cases") == [{"contact_id": None}]


@pytest.mark.parametrize("code", ["insufficient_privilege", "object_not_in_prerequisite_state", "P0001"])
def test_a_crm_that_refuses_every_task_in_its_own_way_stops_no_mail(
    connection: Connection, crm: Crm, server: MailServer, code: str
) -> None:
    tenant = crm.tenant()
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'closed on Sundays' USING ERRCODE = '{code}'; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION refuse()")
    write(crm, tenant, kind="task", template="deal_handover")
    write(crm, tenant)

    assert run(connection, server.url) == {"failed": 1, "sent": 1}
    assert "closed on Sundays" in crm.actions(status="failed")[0]["last_error"]


def test_a_host_that_allows_a_statement_little_time_gets_its_tasks_in_smaller_batches(
    connection: Connection, crm: Crm
) -> None:
    write(crm, crm.tenant(), 80, kind="task", template="deal_handover")
    crm.execute(
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER audit BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION audit()")
    connection.execute("SET statement_timeout = '400ms'")

    assert run(connection, None) == {"filed": 80}
    assert crm.one("SELECT count(*) AS n FROM tasks")["n"] == 80
