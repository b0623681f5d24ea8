"""If these fail, nobody can prove what a customer was sent, of which text it was made, and that it might leave."""

import hashlib
import json

import pytest

from tests.crm import NOW, Crm, days
from tests.letters import part_of
from tests.mail import MailServer
from tests.outbox import run, write
from tests.shell import fleet
from workers import clock
from workers.db.session import Connection


def test_what_was_sent_is_kept_with_its_hash_and_says_so_when_it_is_changed(
    connection: Connection, crm: Crm, server: MailServer, database_url: str
) -> None:
    (number,) = write(crm, crm.tenant())
    run(connection, server.url)
    [(_, message)] = server.received
    [row] = crm.actions()
    text = part_of(message).replace("\r\n", "\n")
    assert (row["sent_subject"], row["sent_body"]) == (message["Subject"], text)
    assert row["sent_hash"] == hashlib.sha256(f"{message['Subject']}\n\n{text}".encode()).hexdigest()

    assert f"SHA-256 {row['sent_hash']}\n" in fleet(database_url, "actions", "show", str(number)).stdout
    crm.execute("UPDATE scheduled_actions SET sent_body = 'We never wrote that.'")
    assert "what is kept was changed since" in fleet(database_url, "actions", "show", str(number)).stdout


def test_of_which_version_of_its_text_a_message_was_made_stays_known(
    connection: Connection, crm: Crm, server: MailServer, database_url: str
) -> None:
    tenant = crm.tenant("Northwind")
    save = "SELECT save_template(%s, 'deal_follow_up', 'en', %s, 'olive')"
    made = []
    for source in ("Hello\n{{ deal }}?", "Hello again\n{{ deal }}?", None, "Hello\n{{ nothing_of_that_name }}"):
        crm.execute(save, tenant, source)
        (number,) = write(crm, tenant)
        run(connection, server.url)
        [row] = crm.actions(id=number)
        made.append(row["text_version"])
    (number,) = write(crm, tenant)
    fleet(database_url, "actions", "edit", str(number), "--subject", "By hand", "--body", "Mine.", "--yes")
    run(connection, server.url, NOW + days(400))
    assert made[:2] == ["own 1", "own 2"]
    assert made[2].startswith("shipped ")
    assert made[2] == made[3], "what cannot be used was not used"
    assert crm.actions(id=number)[0]["text_version"] == "edited"
    shown = json.loads(fleet(database_url, "actions", "show", str(number), "--json").stdout)
    assert (shown["text_version"], shown["is_as_sent"]) == ("edited", True)


@pytest.mark.usefixtures("server")
def test_why_a_message_was_moved_and_that_all_guards_passed_in_the_end_stays_known(
    connection: Connection, crm: Crm, server: MailServer, database_url: str
) -> None:
    tenant = crm.tenant()
    _first, second = write(crm, tenant, 2)
    crm.execute("UPDATE tenant_delivery SET mails_per_day = 1")
    run(connection, server.url)
    run(connection, server.url, NOW + days(1))
    [row] = crm.actions(id=second)
    assert row["guards"] == {
        "mailbox_cap": {
            "at": NOW.isoformat(), "reason": "the mailbox has had its e-mails", "until": "2026-03-03T00:00:00+00:00"
        },
        "passed": {"at": (NOW + days(1)).isoformat()},
    }  # fmt: skip
    with clock.at(NOW):
        shown = fleet(database_url, "actions", "show", str(second)).stdout
    assert "the mailbox has had its e-mails; " in shown
    assert "all guards passed" in shown
