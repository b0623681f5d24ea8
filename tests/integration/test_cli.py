"""The command line as an operator meets it: real processes, exit codes, one clear line."""

import json
from datetime import datetime, timedelta
from importlib.metadata import entry_points, version
from uuid import uuid4

import pytest

from tests.crm import NOW, Crm, stalled_deal
from tests.shell import fleet, fleet_process, one_line
from workers.cli import main
from workers.db.session import connect

AT = NOW.isoformat()


def test_run_prints_what_an_engine_did(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    result = fleet(database_url, "run", "deals", "--now", AT, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["engine"], report["due"], report["acted"]) == ("deals", 1, {"deal_follow_up": 1})
    assert len(crm.actions()) == 1


def test_a_dry_run_shows_the_message_and_changes_nothing(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    result = fleet(database_url, "run", "deals", "--now", AT, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    (planned,) = json.loads(result.stdout)["would_write"]
    assert planned["to"] == "ann@acme.example"
    assert "our offer" in planned["subject"]
    assert planned["body"].startswith("Hello Ann,")
    assert crm.actions() == []
    assert crm.rows("SELECT FROM engine_runs") == []
    assert crm.rows("SELECT FROM deals WHERE stalled_at IS NOT NULL") == []
    table = fleet(database_url, "run", "deals", "--now", AT, "--dry-run")
    assert "ann@acme.example" in table.stdout


def test_a_dry_run_says_whom_it_would_not_reach(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    (tenant,) = crm.rows("SELECT id FROM tenants")
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'asked us to stop')", tenant["id"])
    result = fleet(database_url, "run", "deals", "--now", AT, "--dry-run", "--json")
    (planned,) = json.loads(result.stdout)["would_write"]
    assert planned["kind"] == "task"
    assert "asked us to stop" in planned["body"], "its owner hears of it instead"


def test_run_for_one_tenant_leaves_the_others_alone(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    first = crm.rows("SELECT id FROM tenants")[0]["id"]
    assert fleet(database_url, "run", "deals", "--now", AT, "--tenant", str(first)).returncode == 0
    assert {action["tenant_id"] for action in crm.actions()} == {first}


def test_a_tenant_is_known_by_its_name_if_no_other_has_it(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    first, second = (row["id"] for row in crm.rows("SELECT id FROM tenants ORDER BY id"))
    crm.execute("UPDATE tenants SET name = 'Twin [x]'")
    assert "2 tenants are called 'Twin [x]'" in one_line(fleet(database_url, "run", "deals", "--tenant", "Twin [x]"))
    crm.execute("UPDATE tenants SET name = 'Only' WHERE id = %s", second)
    crm.execute("INSERT INTO engine_settings VALUES (%s, 'deals', 'review'), (%s, 'quotes', 'automatic')", first, first)
    assert fleet(database_url, "run", "deals", "--now", AT, "--tenant", "Only").returncode == 0
    assert {action["tenant_id"] for action in crm.actions()} == {second}
    assert json.loads(fleet(database_url, "tenants", "--json").stdout) == [
        {"tenant_id": str(second), "name": "Only", "modes": {}, "stops": []},
        {"tenant_id": str(first), "name": "Twin [x]", "modes": {"deals": "review"}, "stops": []},
    ]
    assert "Twin [x]" in fleet(database_url, "tenants").stdout


def test_a_run_that_others_keep_from_its_rows_says_so(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    crm.execute(
        "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'held by another' USING ERRCODE = 'lock_not_available'; END $$"
    )
    crm.execute("CREATE TRIGGER held BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION held()")
    result = fleet(database_url, "run", "deals", "--now", AT)
    assert result.returncode == 1, result.stderr
    assert "unfinished: rows are held by another session, run it again" in result.stdout


def test_a_number_no_action_can_have_is_wrong_usage(database_url: str) -> None:
    result = fleet(database_url, "actions", "retry", str(2**63))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "dealz"], "no engine 'dealz': the engines are feedback, deals, quotes, enrichment, compliance"),
        (["run", "deals", "--tenant", str(uuid4())], "no tenant"),
        (["run", "deals", "--tenant", "Nobody Ltd"], "no tenant 'Nobody Ltd' (`fleet tenants` lists them)"),
        (["run", "deals", "--now", "tomorrow"], "--now 'tomorrow' is no ISO 8601 instant"),
        (["actions", "retry", "4711"], "cannot retry 4711"),
        (["load", "no-such-folder"], "no-such-folder"),
    ],
)
def test_a_mistake_gets_one_clear_line(database_url: str, arguments: list[str], says: str) -> None:
    assert says in one_line(fleet(database_url, *arguments))


def test_a_database_that_is_down_gets_one_clear_line() -> None:
    line = one_line(fleet("postgresql://nobody@127.0.0.1:1/crm", "run", "deals"))
    assert "cannot reach the database crm at 127.0.0.1" in line
    assert "DATABASE_URL" in line


def test_no_database_at_all_says_how_to_get_one() -> None:
    assert "make run" in one_line(fleet(None, "run", "deals"))


def test_a_failing_tenant_is_named_and_the_others_are_served(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    stalled_deal(crm)
    bad = crm.rows("SELECT id FROM tenants ORDER BY id")[0]["id"]
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NEW.tenant_id = '{bad}' THEN RAISE 'disk on fire' USING ERRCODE = 'io_error'; END IF;"
        " RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    result = fleet(database_url, "run", "deals", "--now", AT, "--json")
    assert result.returncode == 1
    (failure,) = json.loads(result.stdout)["failures"]
    assert failure["tenant_id"] == str(bad)
    assert "disk on fire" in failure["error"]
    assert len(crm.actions()) == 1
    (run,) = crm.rows("SELECT failures, due FROM engine_runs")
    assert (run["due"], run["failures"][0]["tenant_id"]) == (1, str(bad))


def test_suggested_actions_are_seen_and_approved(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    (tenant,) = crm.rows("SELECT id FROM tenants")
    crm.execute("INSERT INTO engine_settings VALUES (%s, 'deals', 'review')", tenant["id"])
    crm.run("deals")
    (action,) = json.loads(fleet(database_url, "actions", "list", "--status", "suggested", "--json").stdout)
    assert "our offer" in fleet(database_url, "actions", "list").stdout
    assert fleet(database_url, "actions", "approve", str(action["action_id"]), "--yes").returncode == 0
    assert crm.actions()[0]["status"] == "scheduled"


def test_runs_of_the_past_and_the_present_do_not_mix(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    early = (NOW - timedelta(days=8)).isoformat()
    assert json.loads(fleet(database_url, "run", "deals", "--now", early, "--json").stdout)["due"] == 0
    with connect(database_url) as fresh:
        row = fresh.execute("SELECT fleet_now() = now() AS real").fetchone()
    assert row == {"real": True}


def test_the_version_is_told_without_a_database() -> None:
    result = fleet_process(None, "--version")
    assert (result.returncode, result.stdout) == (0, f"fleet {version('p1-fleet')}\n")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("fleet conf", "conflicts"),
        ("fleet run de", "deals"),
        ("fleet run comp", "compliance"),
        ("fleet actions list --status su", "suggested"),
    ],
)
def test_the_shell_completes_commands_engines_and_statuses(words: str, offered: str) -> None:
    position = str(len(words.split()) - 1)
    result = fleet(None, _FLEET_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert (result.returncode, result.stdout.split()) == (0, [offered])


def test_the_entry_point_of_the_installed_command_is_the_same() -> None:
    (entry,) = entry_points(group="console_scripts", name="fleet")
    assert entry.load() is main


@pytest.mark.parametrize("arguments", [["--version"], ["status", "--help"]])
def test_help_and_version_need_no_valid_settings(arguments: list[str]) -> None:
    assert fleet(None, *arguments, FLEET_LOG="loud").returncode == 0
    assert "FLEET_LOG" in one_line(fleet(None, "status", FLEET_LOG="loud"))


def test_instants_in_json_are_iso_8601_in_utc(crm: Crm, database_url: str) -> None:
    crm.execute(f"ALTER DATABASE {crm.connection.info.dbname} SET timezone = 'Asia/Tokyo'")
    crm.action(crm.tenant())
    (action,) = json.loads(fleet(database_url, "actions", "list", "--json").stdout)
    assert action["run_at"] == NOW.isoformat() == "2026-03-02T09:00:00+00:00"
    for engine in json.loads(fleet(database_url, "status", "--json").stdout)["engines"]:
        assert datetime.fromisoformat(engine["latest_slot"]).isoformat() == engine["latest_slot"]
        assert engine["latest_slot"].endswith("+00:00")


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["db", "check"]),
        (2, ["load", "no-such-folder"]),
        (2, ["preview", "--now", "tomorrow"]),
        (0, ["run", "deals", "--dry-run"]),
        (0, ["status"]),
        (2, ["words", "set", "Nobody", "deal_stage", "zebra", "open"]),
    ],
)
def test_as_a_process_a_command_says_the_same_on_the_same_stream_with_the_same_code(
    crm: Crm, database_url: str, code: int, arguments: list[str]
) -> None:
    here, there = fleet(database_url, *arguments), fleet_process(database_url, *arguments)
    assert (there.returncode, there.stdout, there.stderr) == (here.returncode, here.stdout, here.stderr)
    assert there.returncode == code


def test_a_terminal_that_lacks_a_letter_gets_it_written_out(crm: Crm, database_url: str) -> None:
    crm.tenant("Łódź Teatr")
    result = fleet_process(database_url, "tenants", PYTHONIOENCODING="latin-1")
    assert result.returncode == 0, result.stderr
    assert r"\u0141ód\u017a Teatr" in result.stdout
