"""If these fail, a host without beat works a slot twice or never, or strangers start engines."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.crm import Crm, days, wait_until
from tests.imap import ImapServer
from tests.letters import letter
from tests.mail import free_port
from tests.web import served
from workers import clock
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines, engine_named
from workers.runtime import ledger
from workers.runtime.dispatch import run_engine
from workers.runtime.slots import latest_slot
from workers.settings import settings
from workers.web.api.cron import JOBS

SECRET = "a-long-enough-cron-secret"  # noqa: S105  # the test's own
BEARER = {"Authorization": f"Bearer {SECRET}"}
PATHS = [f"/api/cron/{job}" for job in JOBS]


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("CRON_SECRET", SECRET)
    settings.cache_clear()
    with served() as client:
        yield client


@pytest.fixture
def silent(crm: Crm) -> UUID:
    """A tenant whose engines are automatic, with one deal that has been silent for a month."""
    tenant = crm.tenant()
    crm.mode(tenant, "deals", "automatic")
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    quiet = datetime.now(UTC) - days(30)
    crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=quiet, created_at=quiet)
    return tenant


def runs(crm: Crm, engine: str) -> int:
    return len(crm.rows("SELECT FROM engine_runs WHERE engine = %s", engine))


def test_each_of_the_five_engines_has_its_path(client: httpx.Client, crm: Crm) -> None:
    assert set(JOBS.values()) == set(all_engines())
    for path, engine in zip(PATHS, JOBS.values(), strict=True):
        answer = client.get(path, headers=BEARER)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert (said["engine"], said["state"], said["due"], said["failures"]) == (engine, "worked", 0, [])
        assert datetime.fromisoformat(said["slot"]) == latest_slot(engine, clock.now(), settings().time_zone)
        assert runs(crm, engine) == 1


@pytest.mark.parametrize("methods", [("GET", "GET"), ("POST", "GET"), ("POST", "POST")])
def test_what_is_due_is_worked_once_however_often_it_is_called(
    client: httpx.Client, crm: Crm, silent: UUID, methods: tuple[str, str]
) -> None:
    first, second = (client.request(one, "/api/cron/deal-stall-detection", headers=BEARER).json() for one in methods)

    assert (first["state"], first["due"], first["acted"]) == ("worked", 1, {"deal_follow_up": 1})
    assert first["detail"] == "This call worked the slot."
    assert (second["state"], second["due"], second["acted"]) == ("worked", 0, {})
    assert second["detail"] == "The slot was already worked."
    assert second["slot"] == first["slot"]
    assert len(crm.actions(template="deal_follow_up")) == 1


def test_ten_calls_at_once_and_beat_beside_them_write_one_message(
    client: httpx.Client, connection: Connection, crm: Crm, silent: UUID
) -> None:
    said: list[dict[str, object]] = []

    def call() -> None:
        said.append(client.post("/api/cron/deal-stall-detection", headers=BEARER).json())

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    run_engine(
        connection,
        engine_named("deals"),
        trigger="beat",
        slot=latest_slot("deals", clock.now(), settings().time_zone),
        batch_size=10,
    )
    for thread in threads:
        thread.join()

    assert {str(one["state"]) for one in said} <= {"worked", "running"}
    assert len(said) == 10
    assert len(crm.actions(template="deal_follow_up")) == 1
    assert runs(crm, "deals") == 1


def test_a_slot_that_another_worker_has_in_hand_is_left_to_it(
    client: httpx.Client, connection: Connection, crm: Crm, silent: UUID
) -> None:
    slot = latest_slot("deals", clock.now(), settings().time_zone)
    with transaction(connection):
        assert ledger.open_run(connection, "deals", slot, "beat", "a-message") is not None

    said = client.get("/api/cron/deal-stall-detection", headers=BEARER).json()

    assert (said["state"], said["due"]) == ("running", 0)
    assert crm.actions() == []


def test_what_another_session_holds_is_left_and_the_next_call_goes_on_with_it(
    client: httpx.Client, connection: Connection, crm: Crm, silent: UUID
) -> None:
    with connection.transaction():
        connection.execute("SELECT FROM deals FOR UPDATE")
        held = client.get("/api/cron/deal-stall-detection", headers=BEARER).json()
    then = client.get("/api/cron/deal-stall-detection", headers=BEARER).json()

    assert (held["state"], held["left"], held["acted"]) == ("partly", 1, {})
    assert held["detail"] == "Something is left; the next call goes on with it."
    assert (then["state"], then["left"], then["acted"]) == ("worked", 0, {"deal_follow_up": 1})
    assert then["slot"] == held["slot"]
    assert runs(crm, "deals") == 1


def test_a_tenant_that_fails_is_named(client: httpx.Client, crm: Crm, silent: UUID) -> None:
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'disk on fire' USING ERRCODE = 'io_error'; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")

    failed = client.get("/api/cron/deal-stall-detection", headers=BEARER).json()

    assert (failed["state"], failed["due"]) == ("failed", 0)
    [failure] = failed["failures"]
    assert failure["tenant_id"] == str(silent)
    assert "disk on fire" in failure["error"]


def test_a_process_that_is_told_to_stop_leaves_off_within_seconds_and_another_one_goes_on(
    client: httpx.Client, database_url: str, crm: Crm, silent: UUID, tmp_path: Path
) -> None:
    quiet = datetime.now(UTC) - days(30)
    for n in range(300):
        client_id = crm.client(silent)
        contact = crm.contact(silent, client_id, email=f"{n}@acme.example")
        crm.deal(silent, client_id=client_id, contact_id=contact, last_activity_at=quiet, created_at=quiet)
    crm.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;"
        " CREATE TRIGGER slow BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url, "FLEET_HOME": str(tmp_path / "home"), "FLEET_WEB_PORT": str(port),
        "CRON_SECRET": SECRET, "FLEET_BATCH_SIZE": "20",
    }  # fmt: skip
    said: list[httpx.Response] = []
    url = f"http://127.0.0.1:{port}/api/cron/deal-stall-detection"
    caller = threading.Thread(target=lambda: said.append(httpx.get(url, headers=BEARER, timeout=60)))
    with subprocess.Popen([sys.executable, "-m", "workers", "web"], env=environment, stdout=subprocess.PIPE) as web:
        assert web.stdout is not None
        assert web.stdout.readline()
        caller.start()
        wait_until(crm.actions, "the first batch")
        told = time.monotonic()
        web.terminate()
        web.wait(30)
        assert time.monotonic() - told < 10
    caller.join()

    assert said[0].json()["state"] == "partly"
    first = len(crm.actions())
    assert 0 < first < 301

    crm.execute("DROP TRIGGER slow ON scheduled_actions")
    assert client.get("/api/cron/deal-stall-detection", headers=BEARER).json()["state"] == "worked"
    assert len(crm.actions()) == 301


def test_one_pass_of_delivery_carries_out_what_is_due(client: httpx.Client, crm: Crm, silent: UUID) -> None:
    client.post("/api/cron/deal-stall-detection", headers=BEARER)
    crm.execute("UPDATE scheduled_actions SET run_at = now() - interval '1 minute'")
    crm.execute(
        "INSERT INTO tenant_delivery (tenant_id, window_start, window_end) VALUES (%s, '00:00', '24:00')", silent
    )

    first, second = (client.post("/api/cron/delivery", headers=BEARER).json() for _ in range(2))

    assert first == {"done": {"sent": 1}}
    assert second == {"done": {}}
    assert len(list((settings().fleet_home / "mail" / "new").iterdir())) == 1


def test_customers_mail_is_taken_in_without_a_worker(
    client: httpx.Client, crm: Crm, imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "without-beat@northwind.example"
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", account, crm.tenant())
    imap_server.deliver(account, letter("Hello"))
    monkeypatch.setenv("IMAP_URL", imap_server.url(account))
    settings.cache_clear()

    first, second = (client.get("/api/cron/inbound", headers=BEARER).json() for _ in range(2))

    assert (first, second) == ({"done": {"stored": 1}}, {"done": {}})


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer a-long-enough-cron-secreT", f"Basic {SECRET}", SECRET, "Bearer schlüssel"]
)
def test_nobody_without_the_secret_starts_anything(client: httpx.Client, crm: Crm, header: str | None) -> None:
    headers = {b"Authorization": header.encode("latin-1")} if header is not None else {}
    for path in (*PATHS, "/api/cron/delivery", "/api/cron/inbound"):
        for method in ("GET", "POST"):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "CRON_SECRET" in answer.json()["detail"]
    assert crm.rows("SELECT FROM engine_runs") == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer None", f"Bearer {SECRET}"])
def test_without_a_secret_the_paths_are_closed_and_say_why(
    client: httpx.Client, crm: Crm, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setenv("CRON_SECRET", "")
    settings.cache_clear()
    for path in PATHS:
        answer = client.get(path, headers={"Authorization": header})
        assert answer.status_code == 503
        assert answer.json()["detail"] == "CRON_SECRET is not set, so nobody can start anything here."
    assert crm.rows("SELECT FROM engine_runs") == []


def test_a_database_that_is_not_migrated_is_no_reason_to_work(client: httpx.Client, crm: Crm) -> None:
    crm.execute("UPDATE fleet_schema_version SET version_num = '0001_core'")

    answer = client.get(PATHS[0], headers=BEARER)

    assert answer.status_code == 503
    assert "log says why" in answer.json()["detail"]
