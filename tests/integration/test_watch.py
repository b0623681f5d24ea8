"""If these fail, something is wrong with the fleet and nobody hears of it, or somebody is called for nothing."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from tests.conftest import Servers
from tests.crm import Crm, days, stalled_deal, wait_until
from tests.databases import WAITING_FOR_A_LOCK
from tests.mail import MailServer
from tests.provider_server import ProviderServer, Said
from tests.shell import fleet
from tests.web import served
from workers.db.heartbeats import note_heartbeat
from workers.db.session import Connection, connect
from workers.engines.registry import all_engines
from workers.runtime.slots import latest_slot
from workers.settings import Settings, settings
from workers.watch.broker import look_at_broker
from workers.watch.database import look_at_database
from workers.watch.incidents import look, open_incidents, watch
from workers.watch.metrics import _FIGURES

TOKEN = "a token of sixteen characters or more"  # noqa: S105


@pytest.fixture
def well(crm: Crm, connection: Connection, servers: Servers) -> Connection:
    """A fleet that works: its passes are made, its latest slots worked."""
    crm.execute("UPDATE fleet_migration_history SET applied_at = now() - interval '30 days'")
    for name in ("catch_up", "delivery"):
        note_heartbeat(connection, name)
    for engine in all_engines():
        slot = latest_slot(engine, datetime.now(UTC), Settings().time_zone)
        crm.execute(
            "INSERT INTO engine_runs (engine, slot, trigger, status, started_at, finished_at, lease_until)"
            " VALUES (%s, %s, 'beat', 'succeeded', %s, %s, %s)",
            engine, slot, slot, slot, slot,
        )  # fmt: skip
    assert look(connection, Settings(), servers.valkey) == []
    return connection


@pytest.fixture
def listener() -> Iterator[ProviderServer]:
    """Whoever is on call, who hears by HTTP."""
    with ProviderServer(lambda _call: Said(body={})) as server:
        yield server


def keys(connection: Connection, servers: Servers) -> set[str]:
    return {finding.key for finding in look(connection, Settings(), servers.valkey)}


def heard(listener: ProviderServer) -> list[tuple[str, str]]:
    return [(call.payload["event"], call.payload["key"]) for call in listener.calls if call.payload]


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        ("DELETE FROM fleet_heartbeats", ("pass:delivery", "workers.delivery.run was never made")),
        (
            "UPDATE fleet_heartbeats SET at = at - interval '40 minutes'",
            ("pass:catch_up", "workers.housekeeping.catch_up was last made 40 minutes ago"),
        ),
        ("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'", ("slot:compliance", "failed")),
        ("DELETE FROM engine_runs WHERE engine = 'compliance'", ("slot:compliance", "was never begun")),
        (
            """INSERT INTO fleet_faults (source, table_name, row_id, sqlstate, message, noted_at)
               VALUES ('deal_stall', 'deals', 'd1', '42P01', 'relation is missing', now())""",
            ("faults", "relation is missing"),
        ),
    ],
)  # fmt: skip
def test_what_stands_still_is_found_and_said(
    well: Connection, crm: Crm, servers: Servers, wrong: str, finding: tuple[str, str]
) -> None:
    key, words = finding
    crm.execute(wrong)
    found = {finding.key: finding for finding in look(well, Settings(), servers.valkey)}
    assert key in found
    assert words in found[key].what
    assert found[key].why
    assert found[key].mend


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"kind": "task"}, "outbox:tasks"),
        ({"last_error": "SMTP login refused: no such user"}, "outbox:held"),
        ({"status": "dead", "last_error": "timed out"}, "outbox:dead"),
    ],
)
def test_messages_that_do_not_leave_are_found(
    well: Connection, crm: Crm, servers: Servers, values: dict[str, Any], key: str
) -> None:
    crm.action(crm.tenant(), run_at=datetime.now(UTC) - timedelta(hours=1), **values)
    assert keys(well, servers) == {key}


def test_an_installation_that_was_just_made_has_missed_nothing(
    connection: Connection, crm: Crm, servers: Servers
) -> None:
    crm.execute("UPDATE fleet_migration_history SET applied_at = now()")
    assert look(connection, Settings(), servers.valkey) == []


def test_what_one_mailbox_refuses_for_now_calls_nobody(well: Connection, crm: Crm, servers: Servers) -> None:
    crm.action(crm.tenant(), run_at=datetime.now(UTC), attempts=1, last_error="452 4.2.2 mailbox full")
    assert keys(well, servers) == set()


def test_slots_that_nobody_began_call_whoever_is_on_call(well: Connection, crm: Crm, servers: Servers) -> None:
    slots = [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (8, 14)]
    for slot in slots:
        crm.execute(
            "INSERT INTO engine_runs (engine, slot, status, finished_at) VALUES ('deals', %s, 'missed', now())", slot
        )
    (found,) = look(well, Settings(), servers.valkey)
    assert found.key == "missed:deals"
    assert "deals missed 2 slots, the last of Mon 02 Mar 14:00 UTC" in found.what
    assert "fleet runs backfill --engine deals --since 2026-03-02T08:00" in found.mend
    crm.execute("UPDATE engine_runs SET finished_at = finished_at - interval '1 hour' WHERE status = 'missed'")
    assert keys(well, servers) == set(), "it is told once"


def test_a_run_by_hand_after_a_missed_slot_mends_it(well: Connection, crm: Crm, servers: Servers) -> None:
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    assert keys(well, servers) == {"slot:compliance"}
    crm.run("compliance", datetime.now(UTC))
    assert keys(well, servers) == set()


def test_a_mailbox_that_is_not_looked_into_counts_only_where_one_is_set(well: Connection, servers: Servers) -> None:
    polled = Settings(imap_url="imaps://care:secret@mail.example")
    assert [finding.key for finding in look(well, polled, servers.valkey)] == ["pass:inbound"]
    note_heartbeat(well, "inbound")
    assert look(well, polled, servers.valkey) == []


def test_who_keeps_others_waiting_for_a_lock_is_named(well: Connection, crm: Crm, database_url: str) -> None:
    with connect(database_url) as holder, connect(database_url) as waiting:
        with holder.transaction():
            holder.execute("LOCK TABLE deals IN ACCESS EXCLUSIVE MODE")
            thread = threading.Thread(target=waiting.execute, args=["SELECT FROM deals LIMIT 1"])
            thread.start()
            wait_until(lambda: crm.rows(WAITING_FOR_A_LOCK), "the other session")
            found = look_at_database(well, long_lock=timedelta(0), long_transaction=timedelta(0))
            assert not look_at_database(well)
            pid = holder.info.backend_pid
        thread.join()
    assert {finding.key for finding in found} >= {f"lock:{pid}", f"transaction:{pid}"}
    [lock] = [finding for finding in found if finding.key == f"lock:{pid}"]
    assert "LOCK TABLE deals" in lock.what
    assert f"pg_terminate_backend({pid})" in lock.mend


def test_a_broker_that_throws_messages_away_or_is_gone_is_found(servers: Servers) -> None:
    broker = Redis.from_url(servers.valkey.replace("redis+socket://", "unix://"))
    broker.config_set("maxmemory", "1gb")
    broker.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert [finding.key for finding in look_at_broker(servers.valkey)] == ["broker:eviction"]
    finally:
        broker.config_set("maxmemory-policy", "noeviction")
        broker.config_set("maxmemory", "0")
    assert look_at_broker(servers.valkey) == []
    assert look_at_broker(f"{servers.valkey}?virtual_host=1") == []
    [gone] = look_at_broker("redis://127.0.0.1:1/0")
    assert gone.key == "broker"


def test_an_incident_is_told_once_when_it_did_not_pass_by_itself_and_once_when_it_is_over(
    well: Connection, crm: Crm, servers: Servers, listener: ProviderServer, server: MailServer
) -> None:
    on_call = Settings(fleet_alert_url=listener.url, fleet_alert_mail="ops@fleet.example", smtp_url=server.url)
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    assert watch(well, on_call, servers.valkey) == 0  # it may pass
    assert heard(listener) == []
    for _ in range(3):
        assert watch(well, on_call, servers.valkey) == 1
    assert heard(listener) == [("incident.opened", "slot:compliance")]
    crm.execute("UPDATE engine_runs SET status = 'succeeded' WHERE engine = 'compliance'")
    for _ in range(3):
        assert watch(well, on_call, servers.valkey) == 0
    assert heard(listener) == [("incident.opened", "slot:compliance"), ("incident.closed", "slot:compliance")]
    (to, opened), (_, closed) = server.received
    assert to == "ops@fleet.example"
    assert opened["Subject"].startswith("The fleet: the slot of compliance")
    assert "What to do: `fleet runs list --engine compliance`" in opened.get_content()
    assert closed["Subject"].startswith("Over: the slot of compliance")


def test_what_passes_within_a_minute_calls_nobody(
    well: Connection, crm: Crm, servers: Servers, listener: ProviderServer
) -> None:
    on_call = Settings(fleet_alert_url=listener.url)
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    watch(well, on_call, servers.valkey)
    crm.execute("UPDATE engine_runs SET status = 'succeeded' WHERE engine = 'compliance'")
    watch(well, on_call, servers.valkey)
    watch(well, on_call, servers.valkey)
    assert heard(listener) == []


def test_who_could_not_be_told_is_told_at_the_next_look(
    well: Connection, crm: Crm, servers: Servers, listener: ProviderServer
) -> None:
    on_call = Settings(fleet_alert_url=listener.url)
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    listener.script.append(Said(status=503))
    for _ in range(4):
        watch(well, on_call, servers.valkey)
    assert heard(listener) == [("incident.opened", "slot:compliance")] * 2  # the first was refused
    assert [row["key"] for row in open_incidents(well)] == ["slot:compliance"]


def test_what_works_is_pinged_for_and_what_does_not_is_silent(
    well: Connection, crm: Crm, servers: Servers, listener: ProviderServer
) -> None:
    pinged = Settings(fleet_ping_url=listener.url + "/key/{name}")
    watch(well, pinged, servers.valkey)
    assert {call.path for call in listener.calls} == {f"/key/{name}" for name in ("beat", *all_engines())}
    listener.calls.clear()
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    crm.execute("DELETE FROM fleet_heartbeats WHERE name = 'catch_up'")
    watch(well, pinged, servers.valkey)
    assert {call.path for call in listener.calls} == {f"/key/{name}" for name in set(all_engines()) - {"compliance"}}


def test_status_says_an_incident_first_and_fails_while_it_is_open(
    well: Connection, crm: Crm, servers: Servers, database_url: str
) -> None:
    assert fleet(database_url, "status").returncode == 0
    crm.execute("UPDATE engine_runs SET status = 'failed' WHERE engine = 'compliance'")
    for _ in range(2):
        watch(well, Settings(), servers.valkey)
    shown = fleet(database_url, "status")
    assert shown.returncode == 1
    assert shown.stdout.startswith("incident since ")
    assert "the slot of compliance" in shown.stdout.splitlines()[0]
    assert [i["key"] for i in json.loads(fleet(database_url, "status", "--json").stdout)["incidents"]] == [
        "slot:compliance"
    ]


def test_the_doctor_names_what_is_wrong_why_and_what_to_do(
    well: Connection, crm: Crm, servers: Servers, database_url: str
) -> None:
    crm.execute("DROP INDEX idx_actions_lease")
    seen = fleet(database_url, "doctor", REDIS_URL=servers.valkey)
    assert seen.returncode == 1
    assert "1 objects of the schema are missing, the first: index idx_actions_lease" in seen.stdout
    assert "what to do: `fleet db migrate` makes them again" in seen.stdout
    assert "no worker takes from the queue delivery" in seen.stdout
    found = json.loads(fleet(database_url, "doctor", "--json", REDIS_URL=servers.valkey).stdout)
    assert {one["key"] for one in found} == {"schema", "queue:engines", "queue:delivery", "queue:inbound"}


def test_the_doctor_notices_functions_of_another_release(
    well: Connection, crm: Crm, servers: Servers, database_url: str
) -> None:
    crm.execute("UPDATE fleet_migration_history SET checksum = 'of another release' WHERE name = 'functions/outbox'")
    seen = fleet(database_url, "doctor", REDIS_URL=servers.valkey)
    assert "the database has not all of this release, the first that is missing: functions/outbox" in seen.stdout


def test_probes_tell_an_installation_that_starts_from_one_that_can_work(servers: Servers, database_url: str) -> None:
    ready = fleet(database_url, "doctor", "--ready", REDIS_URL=servers.valkey)
    assert (ready.returncode, ready.stdout) == (0, "ready\n")
    away = "postgresql://nobody@127.0.0.1:1/nowhere"
    assert fleet(away, "doctor", "--live", REDIS_URL=servers.valkey).returncode == 0
    refused = fleet(away, "doctor", "--ready", REDIS_URL="redis://127.0.0.1:1/0")
    assert refused.returncode == 1
    assert "cannot reach the database" in refused.stdout
    assert "the broker cannot be used" in refused.stdout


@pytest.fixture
def scraper(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLEET_METRICS_TOKEN", TOKEN)
    settings.cache_clear()
    with served() as client:
        yield client


def test_figures_are_for_who_bears_the_token_and_are_what_the_database_says(
    scraper: httpx.Client, well: Connection, crm: Crm
) -> None:
    tenant = stalled_deal(crm)
    crm.execute("UPDATE deals SET last_activity_at = now() - interval '30 days'")
    crm.action(tenant, run_at=datetime.now(UTC) - days(2), status="sent", sent_at=datetime.now(UTC))
    assert scraper.get("/metrics").status_code == 401
    assert scraper.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    answer = scraper.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    figures = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert figures["fleet_due_items", "deals"] == 1
    assert figures["fleet_tenant_due_items", *sorted(("deals", str(tenant)))] == 1
    assert figures["fleet_sent_day", "deals", "email"] == 1
    assert figures["fleet_slot_late_seconds", "quotes"] == 0
    assert figures[("fleet_incidents_open",)] == 0
    assert figures["fleet_pass_age_seconds", "delivery"] < 600


def test_the_board_and_the_page_of_figures_speak_of_figures_that_there_are() -> None:
    docs = Path(__file__).parents[2] / "docs" / "how-to"
    told = {name for name, *_ in _FIGURES.values()}
    drawn = {
        name
        for panel in json.loads((docs / "grafana.json").read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(r"fleet_\w+", target["expr"])
    }
    assert drawn == told
    assert set(re.findall(r"`(fleet_\w+)`", (docs / "watch.md").read_text())) == told


def test_there_are_no_figures_where_no_token_is_set(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    with served() as client:
        assert client.get("/metrics").status_code == 404
