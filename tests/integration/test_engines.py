"""If these fail, an engine is not one room: a part of it is missing, or the fleet knows it by name somewhere else."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.contract import gaps
from tests.crm import NOW, Crm, wait_until
from tests.fleet import Fleet
from tests.shell import fleet as fleet_command
from workers.db.migrate import migrate
from workers.delivery.texts import _environment
from workers.engines.registry import all_engines, engine_named
from workers.errors import EngineError, FleetError
from workers.inbound.ingest import Stored, ingest
from workers.load.demo import load_demo
from workers.settings import settings

SIXTH = Path(__file__).parents[1] / "sixth_engine"


@pytest.mark.parametrize("engine", sorted(all_engines()))
def test_every_engine_keeps_its_contract_on_the_demos_rows(engine: str, crm: Crm) -> None:
    load_demo(crm.connection, now=NOW)
    assert gaps(engine_named(engine), crm) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sixth engine's folder, which the fleet is told to look into."""
    copy = tmp_path / "engines"
    shutil.copytree(SIXTH, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("FLEET_ENGINES_DIR", str(copy))
    caches = (settings, all_engines, _environment)
    for cache in caches:
        cache.cache_clear()
    yield copy
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def licence(crm: Crm, ends_on: datetime, **contact: str) -> UUID:
    tenant = crm.tenant()
    crm.open_always(tenant)
    client = crm.client(tenant)
    return crm.insert(
        "licences", tenant_id=tenant, contact_id=crm.contact(tenant, client, **contact), product="Ten seats",
        ends_on=ends_on.date(),
    )  # fmt: skip


def test_a_sixth_engine_from_a_folder_keeps_the_same_contract(folder: Path, crm: Crm, database_url: str) -> None:
    assert migrate(database_url).functions == ["engines/licences"]
    licence(crm, NOW + timedelta(days=10))

    assert gaps(engine_named("licences"), crm) == []
    assert list(all_engines())[-1] == "licences"


def test_a_sixth_engine_explains_what_is_its_own(folder: Path, crm: Crm, database_url: str) -> None:
    migrate(database_url)
    own = licence(crm, NOW + timedelta(days=10))
    crm.run("licences")
    for name in ("Ten seats", str(own)):
        said = fleet_command(database_url, "explain", name, "--now", NOW.isoformat()).stdout
        assert f"licence Ten seats of Northwind ({own})" in said
        assert "the licence ends" in said
        assert 'e-mail "licence reminder" leaves for ann@acme.example' in said
        assert "2026-03-03 06:00  licences runs next" in said


def test_a_sixth_engine_runs_on_the_timetable_writes_is_guarded_delivered_answered_and_seen(
    folder: Path, fleet: Fleet, crm: Crm, database_url: str
) -> None:
    migrate(database_url)
    today = datetime.now(UTC)
    sent = licence(crm, today + timedelta(days=10))
    renewed = licence(crm, today + timedelta(days=10), email="bob@acme.example")

    with fleet.worker("--queues=engines"), fleet.beat_after_an_outage():
        wait_until(lambda: len(crm.actions(engine="licences")) == 2, "the two reminders")
    crm.execute("UPDATE licences SET ends_on = ends_on + 365 WHERE id = %s", renewed)
    with fleet.worker("--queues=delivery"):
        fleet.send("workers.delivery.run", queue="delivery")
        wait_until(
            lambda: {row["status"] for row in crm.actions(engine="licences")} == {"sent", "cancelled"}, "the delivery"
        )

    [left, refused] = (crm.actions(subject_id=id)[0] for id in (sent, renewed))  # noqa: A001
    assert (left["status"], refused["status"], refused["reason"]) == ("sent", "cancelled", "the licence was renewed")
    assert crm.row("licences", sent)["sent_at"] is not None
    [file] = (fleet.home / "mail" / "new").glob("*.eml")
    assert b"Subject: Your licence for Ten seats ends on" in file.read_bytes()

    answer = (
        f"From: ann@acme.example\nTo: care@fleet.example\nMessage-ID: <1@acme.example>\n"
        f"In-Reply-To: {left['message_id']}\nSubject: Re: licence\n\nYes, please renew it.\n"
    )
    outcome = ingest(crm.connection, answer.encode(), "a test")
    assert isinstance(outcome, Stored)
    assert outcome.kind == "reply"
    assert crm.row("licences", sent)["answered_at"] is not None

    licence(crm, today + timedelta(days=20))
    status = subprocess.run(
        [sys.executable, "-m", "workers", "status"], env=fleet.environment, capture_output=True, text=True, check=True
    )
    [line] = [line.split() for line in status.stdout.splitlines() if line.split()[:1] == ["licences"]]
    assert line[1] == "1", "due"


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("licences.py", "ENGINE =", "OTHER =", "licences.py declares no ENGINE"),
        ("licences.py", "import timedelta", "import nothing", "licences.py: ImportError"),
        ("licences.py", 'name="licences"', 'name="deals"', "engine deals: there are two of that name"),
        ("licences.py", '"licence"', '"deal"', "engine licences: another engine's actions are about a deal already"),
        ("licences.py", 'cron="0 6 * * *"', "cron=None", "engine licences: it needs one line of the timetable"),
        ("licences.py", "licence_reminder", "missing", "engine licences: there is no template missing.txt.j2 in"),
    ],
)
def test_an_engine_without_one_of_its_parts_is_refused_with_one_line(
    folder: Path, file: str, old: str, new: str, complaint: str
) -> None:
    path = folder / file
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(EngineError) as problem:
        all_engines()

    assert complaint in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "function",
    [
        "licences_due_tenants() returning SETOF uuid",
        "licences_due_count() returning TABLE(tenant_id uuid, n bigint)",
        "licences_next_due() returning timestamp with time zone",
        "licences_guard(bigint[]) returning TABLE(action_id bigint, reason text)",
        "licences_settled(bigint[]) returning void",
        "licences_answered(inbound_messages, scheduled_actions, jsonb) returning void",
    ],
)
def test_sql_that_lacks_a_function_of_the_contract_is_refused_by_its_name_and_changes_nothing(
    folder: Path, crm: Crm, database_url: str, function: str
) -> None:
    path = folder / "licences.sql"
    name = function.partition("(")[0]
    path.write_text(path.read_text().replace(f"{name}(", f"{name}_renamed("))

    with pytest.raises(FleetError, match="engine licences does not keep its contract") as problem:
        migrate(database_url)

    assert f"missing: {function}; nothing of this step was applied" in str(problem.value)
    assert crm.rows("SELECT FROM engines WHERE name = 'licences'") == []
    assert crm.rows("SELECT to_regclass('licences') AS found") == [{"found": None}]


def test_an_engine_whose_sql_was_never_applied_says_what_to_do(folder: Path, crm: Crm) -> None:
    with pytest.raises(psycopg.errors.UndefinedObject, match=r"engine licences is not in the database: run `fleet db"):
        crm.run("licences")


def test_what_an_engine_wrote_that_is_gone_from_the_registry_goes_nowhere(crm: Crm) -> None:
    action = crm.action(crm.tenant(), engine="licences")
    verdict = crm.one("SELECT verdict, reason FROM action_guards(ARRAY[%s::bigint])", action)
    assert verdict == {"verdict": "cancelled", "reason": "there is no engine licences"}
