"""If these fail, a tenant cannot say things its own way, or a slip of the pen keeps its mail from leaving."""

import json
from pathlib import Path
from uuid import UUID

import pytest

from tests.crm import Crm
from tests.letters import part_of
from tests.mail import MailServer
from tests.outbox import run, write
from tests.shell import fleet
from workers.db.session import Connection

OWN = 'About "{{ deal }}"\n{% include "greeting.txt.j2" %}\n\nShall we go on?\n\n{{ tenant }}\n'


@pytest.fixture
def tenant(crm: Crm) -> UUID:
    return crm.tenant("Northwind")


def edit(url: str, source: str, *options: str, template: str = "deal_follow_up") -> tuple[int, str]:
    done = fleet(url, "templates", "edit", "Northwind", template, "--file", "-", *options, stdin=source.encode())
    return done.returncode, done.stdout + done.stderr


def test_a_tenants_own_text_is_shown_sent_versioned_and_taken_back(
    connection: Connection, crm: Crm, server: MailServer, tenant: UUID, database_url: str
) -> None:
    assert edit(database_url, OWN, "--by", "Bo") == (0, "deal_follow_up (en) is version 1\n")
    assert edit(database_url, OWN) == (0, "nothing was changed\n")
    assert edit(database_url, OWN.replace("Shall", "Should"))[1] == "deal_follow_up (en) is version 2\n"
    assert "Should we go on?" in fleet(database_url, "templates", "show", "Northwind", "deal_follow_up").stdout
    listed = json.loads(fleet(database_url, "templates", "list", "--tenant", "Northwind", "--json").stdout)
    assert {row["template"]: row["own"] for row in listed if row["own"]} == {"deal_follow_up": {"en": 2}}

    write(crm, tenant)
    run(connection, server.url)
    [(_, message)] = server.received
    assert message["Subject"] == 'About "Ten licences"'
    assert part_of(message).startswith("Hello Ann,\r\n\r\nShould we go on?")

    assert fleet(database_url, "templates", "reset", "Northwind", "deal_follow_up").returncode == 0
    write(crm, tenant)
    run(connection, server.url)
    assert server.received[1][1]["Subject"] == "A question about our offer"
    kept = crm.rows("SELECT version, written_by, source IS NULL AS shipped FROM tenant_templates ORDER BY version")
    assert [(row["version"], row["shipped"]) for row in kept] == [(1, False), (2, False), (3, True)]
    assert kept[0]["written_by"] == "Bo"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("Hello\n{{ deel }}", "there is no variable deel: there are"),
        ("Hello\n\n{% if step %}", "line 3"),
        ("Hello\n{{ deal * 9 }}", "mul cannot be used in a text of your own"),
        ("Hello\n", "one of them is empty"),
        ("Hello\n{{ step + company }}", "TypeError"),
    ],
)
def test_a_slip_is_refused_when_it_is_saved_with_what_is_wrong(
    crm: Crm, tenant: UUID, database_url: str, source: str, complaint: str
) -> None:
    code, said = edit(database_url, source)

    assert code == 2
    assert complaint in said
    assert len(said.splitlines()) == 1
    assert crm.rows("SELECT FROM tenant_templates") == []


def test_a_preview_shows_the_latest_letter_else_a_sample(crm: Crm, tenant: UUID, database_url: str) -> None:
    sample = fleet(database_url, "templates", "preview", "Northwind", "quote_follow_up", "--language", "de").stdout
    assert "Guten Tag Ada," in sample
    assert "1.200,00" in sample

    write(crm, tenant)
    latest = fleet(database_url, "templates", "preview", "Northwind", "deal_follow_up").stdout
    assert "Subject: A question about our offer" in latest
    assert "Hello Ann," in latest
    unknown = fleet(database_url, "templates", "preview", "Northwind", "service_recovery")
    assert "nothing was written with service_recovery yet" in unknown.stderr


@pytest.mark.parametrize("arguments", [["greeting"], ["no_such"], ["deal_follow_up", "--language", "it"]])
def test_what_does_not_exist_is_named(tenant: UUID, database_url: str, arguments: list[str], tmp_path: Path) -> None:
    done = fleet(database_url, "templates", "show", "Northwind", *arguments)

    assert done.returncode == 2
    assert "no template" in done.stderr or "no language 'it'" in done.stderr
