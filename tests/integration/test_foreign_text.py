"""If these fail, whoever may write a title, a mail or a file's name crashes a command, or decides what it shows."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID

import pytest
import typer
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, stalled_deal
from tests.shell import fleet, fleet_process
from workers.cli import app

AT = NOW.isoformat()
# Closes markup that nobody opened, links, clears the screen, colours (with one C1 character), goes back, ends the
# line, turns the direction round, hides a letter.
HOSTILE = "[/] [link=https://evil.example]x[/] \x1b]8;;https://evil.example\x07\x1b[2J\x9b31m\b\r\nfleet: \u202e\u200b!"
SHOWN = (
    r"[/] [link=https://evil.example]x[/] \x1b]8;;https://evil.example\x07\x1b[2J\x9b31m\x08\r\nfleet: \u202e\u200b!"
)
FILE_NAME = HOSTILE.replace("/", "")
HOOK = f"https://127.0.0.1:0/{HOSTILE}"


@pytest.fixture
def hostile(crm: Crm) -> UUID:
    """A tenant who writes the same thing everywhere; returns its id."""
    tenant = stalled_deal(crm, title=HOSTILE)
    crm.update("tenants", tenant, name=HOSTILE)
    crm.execute("INSERT INTO tenant_letters (tenant_id, share_deal_titles) VALUES (%s, true)", tenant)
    (contact,) = crm.rows("SELECT id FROM contacts")
    crm.update("contacts", contact["id"], first_name=HOSTILE, title=HOSTILE)
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', %s)", tenant, HOSTILE)
    crm.one("SELECT add_webhook(%s, %s, '{quote.expired}', 'whsec_AA==', %s)", tenant, HOOK, HOSTILE)
    crm.one("SELECT make_token(%s, %s, %s, 'agent', 600, NULL, NULL, %s, NULL)", bytes(32), tenant, HOSTILE, HOSTILE)
    crm.action(tenant, status="dead", last_error=HOSTILE, attempts=12, variables={"title": HOSTILE})
    conflict = {"field": "title", "current": HOSTILE, "proposed": HOSTILE + "2", "source": "manual"}
    row = crm.enrichment(tenant, contact_id=contact["id"], source="manual", status="completed")
    crm.update("contact_enrichment_queue", row, merged_to_contact_id=contact["id"], merge_conflicts=Jsonb([conflict]))
    crm.deal(tenant, stage=HOSTILE)
    crm.execute("INSERT INTO crm_words VALUES (%s, 'case_status', 'zebra', 'open', %s)", tenant, HOSTILE)
    crm.execute("INSERT INTO tenant_delivery (tenant_id, from_name) VALUES (%s, %s)", tenant, HOSTILE)
    crm.execute('SELECT set_tenant_settings(%s, \'{"paused": "yes"}\', %s, %s)', tenant, HOSTILE, HOSTILE)
    crm.execute("UPDATE tenant_delivery SET paused = false")
    crm.schedule(tenant, compliance_type=HOSTILE, target_filter={HOSTILE: "x"})
    crm.run("compliance")
    failures = Jsonb([{"tenant_id": str(tenant), "error": HOSTILE}])
    crm.execute("UPDATE engine_runs SET failures = %s", failures)
    crm.execute("SELECT set_aside_message(%s, %s, %s, %s, 4)", "ab", f"/mail/{HOSTILE}", f"<{HOSTILE}>", HOSTILE)
    return tenant


def folder_of(tmp_path: Path) -> str:
    """A folder to load whose cells and columns, and a mail folder whose names, are hostile."""
    (tmp_path / "tenants.csv").write_text(f'tenant,time_zone\nNorthwind,"{HOSTILE[:30]}"\n')
    (tmp_path / "clients.csv").write_text(f'tenant,company_name,"{HOSTILE}"\n"{HOSTILE[-30:]}",Acme,x\n')
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / f"{FILE_NAME}.eml").write_bytes(b"junk")
    return str(tmp_path)


# Per command what is called, and what it then shows; every command is here, or says why not.
CALLS = {
    "actions list": (["actions", "list"], [SHOWN]),
    "actions show": (["actions", "show", "ACTION"], [SHOWN]),
    "actions edit": (["actions", "edit", "ACTION", "--subject", HOSTILE, "--body", HOSTILE], [SHOWN]),
    "actions approve": (["actions", "approve", "7"], []),
    "actions cancel": (["actions", "cancel", "7"], []),
    "actions retry": (["actions", "retry", "7"], []),
    "conflicts list": (["conflicts", "list"], [SHOWN, SHOWN + "2"]),
    "conflicts accept": (["conflicts", "accept", HOSTILE], []),
    "conflicts reject": (["conflicts", "reject", HOSTILE], []),
    "console": (["console"], []),
    "db check": (["db", "check"], []),
    "db migrate": (["db", "migrate"], []),
    "db rollback": (["db", "rollback", "--yes"], []),
    "explain": (["explain", HOSTILE], [SHOWN]),
    "go-live": (["go-live", HOSTILE, "--by", HOSTILE], [SHOWN]),
    "inbound": (["inbound", "--list-aside"], [f"/mail/{SHOWN}", f"<{SHOWN}>"]),
    "load": (
        ["load", "FOLDER"],
        [r"\x07\x1b[2j\x9b31m\x08", f'time_zone "{SHOWN[:30]}"', r"\x9b31m\x08\r\nfleet: \u202e\u200b!"],
    ),
    "preview": (["preview", "--now", AT], [SHOWN, '"[/] [link=https://evil.example]x[/]']),
    "run": (
        ["run", "deals", "--now", AT, "--dry-run"],
        [SHOWN, '"[/] [link=https://evil.example]x[/]'],
    ),
    "runs list": (["runs", "list"], []),
    "runs show": (["runs", "show", "RUN"], [SHOWN]),
    "runs start": (["runs", "start", HOSTILE], [SHOWN]),
    "runs cancel": (["runs", "cancel", "7", "--why", HOSTILE], []),
    "runs backfill": (["runs", "backfill", "--since", HOSTILE], []),
    "schedule show": (["schedule", "show", "--tenant", HOSTILE], []),
    "settings show": (["settings", "show", "--tenant", HOSTILE], [SHOWN]),
    "settings set": (["settings", "set", "--tenant", HOSTILE, f"from_name={HOSTILE}"], []),
    "forget": (["forget", "ann@acme.example", "--why", HOSTILE, "--tenant", HOSTILE], [SHOWN]),
    "doctor": (["doctor"], []),
    "settings history": (["settings", "history", "--tenant", HOSTILE], [SHOWN]),
    "simulate": (["simulate", "--from", AT, "--to", "2026-03-04"], [SHOWN]),
    "status": (["status"], [SHOWN]),
    "suppressions list": (["suppressions", "list"], [SHOWN]),
    "suppressions add": (["suppressions", "add", HOSTILE, "ann@acme.example", "--why", HOSTILE], [SHOWN]),
    "suppressions remove": (["suppressions", "remove", HOSTILE, "ann@acme.example", "--why", "x"], [SHOWN]),
    "templates list": (["templates", "list", "--tenant", HOSTILE], []),
    "templates show": (["templates", "show", HOSTILE, "deal_follow_up"], []),
    "templates preview": (["templates", "preview", HOSTILE, "deal_follow_up"], []),
    "templates edit": (["templates", "edit", HOSTILE, "deal_follow_up", "--file", "FOLDER"], []),
    "templates reset": (["templates", "reset", HOSTILE, "deal_follow_up", "--by", HOSTILE], []),
    "tenants": (["tenants"], [SHOWN]),
    "tenants stop": (["tenants", "stop", HOSTILE, "--reason", HOSTILE], [SHOWN]),
    "tenants resume": (["tenants", "resume", HOSTILE], [SHOWN]),
    "tokens create": (["tokens", "create", HOSTILE, "--tenant", HOSTILE], []),
    "tokens list": (["tokens", "list"], [SHOWN]),
    "tokens revoke": (["tokens", "revoke", HOSTILE], []),
    "webhooks list": (["webhooks", "list"], [SHOWN, f"https://127.0.0.1:0/{SHOWN}"]),
    "webhooks add": (["webhooks", "add", HOSTILE, HOOK], []),
    "webhooks on": (["webhooks", "on", HOOK], [SHOWN]),
    "webhooks off": (["webhooks", "off", HOOK], [SHOWN]),
    "webhooks remove": (["webhooks", "remove", HOOK], [SHOWN]),
    "webhooks retry": (["webhooks", "retry", HOSTILE], []),
    "webhooks test": (["webhooks", "test", HOOK], [SHOWN]),
    "words list": (["words", "list"], [SHOWN]),
    "words set": (["words", "set", HOSTILE, "deal_stage", HOSTILE, "open"], []),
    "words unknown": (["words", "unknown"], [SHOWN]),
    "words unset": (["words", "unset", HOSTILE, "deal_stage", HOSTILE], []),
}
STARTS_PROCESSES = {"up", "web"}  # what it prints of them: tests/integration/test_up.py and test_web.py


def commands() -> Iterator[str]:
    def below(command: Any, path: str) -> Iterator[str]:  # Typer's own copy of click has no stable types
        for name, inner in getattr(command, "commands", {}).items():
            yield from below(inner, f"{path}{name} ")
        if getattr(command, "invoke_without_command", True) and path:
            yield path.strip()

    yield from below(typer.main.get_command(app), "")


def harmless(result: CompletedProcess[str]) -> str:
    """What was printed: no traceback, nothing that acts on a terminal, no line of the stranger's making."""
    printed = result.stdout + result.stderr
    assert "Traceback" not in printed, printed
    acting = {c for c in printed if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")} - {"\n"}
    assert acting == set(), printed
    return printed


def test_every_command_has_a_row_here() -> None:
    assert set(commands()) == CALLS.keys() | STARTS_PROCESSES


@pytest.mark.parametrize("command", sorted(CALLS))
def test_a_command_shows_what_a_stranger_wrote_and_does_nothing_of_it(
    command: str, crm: Crm, hostile: UUID, database_url: str, tmp_path: Path
) -> None:
    arguments, shows = CALLS[command]
    (action,) = crm.rows("SELECT id FROM scheduled_actions WHERE status = 'dead'")
    (run,) = crm.rows("SELECT id FROM engine_runs")
    named = {"FOLDER": folder_of(tmp_path), "ACTION": str(action["id"]), "RUN": str(run["id"])}
    arguments = [named.get(argument, argument) for argument in arguments]
    printed = harmless(fleet(database_url, *arguments, COLUMNS="3000"))
    assert [text for text in shows if text not in printed] == []
    assert not [line for line in printed.splitlines() if line.startswith("fleet: \u202e")]


@pytest.mark.parametrize(
    "command", ["actions list", "conflicts list", "inbound", "preview", "run", "status", "tenants"]
)
def test_json_says_the_same_and_can_be_read_back(command: str, crm: Crm, hostile: UUID, database_url: str) -> None:
    result = fleet(database_url, *CALLS[command][0], "--json")
    harmless(result)
    assert json.dumps(HOSTILE)[1:-1] in json.dumps(json.loads(result.stdout)), result.stdout


def test_colours_of_a_terminal_are_the_fleets_own(crm: Crm, hostile: UUID, database_url: str) -> None:
    for command in ("actions list", "status", "tenants"):
        printed = fleet_process(database_url, *CALLS[command][0], COLUMNS="3000", FORCE_COLOR="1").stdout
        assert SHOWN in printed
        assert [text for text in ("\x1b]8;", "\x1b[2J", "\x9b", "\u202e") if text in printed] == []


def test_a_mail_with_a_hostile_name_is_set_aside_under_a_visible_one(
    crm: Crm, database_url: str, tmp_path: Path
) -> None:
    folder_of(tmp_path)
    result = fleet(database_url, "inbound", str(tmp_path / "mail"), COLUMNS="3000")
    assert result.returncode == 1
    assert r"\x1b[2J\x9b31m" in harmless(result)


def test_what_the_database_says_of_a_hostile_row_stays_one_line(crm: Crm, hostile: UUID, database_url: str) -> None:
    crm.connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'not with %', (SELECT name FROM tenants) USING ERRCODE = 'io_error'; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    crm.execute("CREATE TRIGGER refused BEFORE UPDATE ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")

    run = fleet(database_url, "run", "deals", "--now", AT, COLUMNS="3000")
    assert run.returncode == 1
    assert r"IoError: not with [/] [link=https://evil.example]x[/] \x1b]8;;" in run.stdout
    printed = run.stdout + run.stderr
    assert not {c for c in printed if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}

    (action,) = crm.rows("SELECT id FROM scheduled_actions WHERE status = 'dead'")
    retry = fleet(database_url, "actions", "retry", str(action["id"]), "--yes")
    assert retry.returncode == 2
    assert r"the database says: not with [/] [link=https://evil.example]x[/] \x1b]8;;" in harmless(retry)
