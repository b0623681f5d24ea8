"""The occurrence ledger: a slot is worked once, whoever announces it; and which tenants a run visits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days, wait_until
from workers.db.session import Connection, connect

HOUR = timedelta(hours=1)
WINDOWS = Jsonb({"deals": 5 * 3600, "quotes": 1 * 3600})


def open_run(
    crm: Crm, slot: object = NOW, task: str = "first", lease: timedelta = HOUR, engine: str = "deals"
) -> int | None:
    run: int | None = crm.read("open_run", engine, slot, "beat", task, "here", lease)[0]["open_run"]
    return run


def to_start(crm: Crm, at: datetime = NOW) -> list[tuple[str, datetime]]:
    """The slots that somebody should work, of engines that catch up for five hours."""
    return [(row["engine"], row["slot"]) for row in crm.read("slots_to_start", WINDOWS, at=at)]


def given_up(crm: Crm, at: datetime) -> list[tuple[str, datetime]]:
    return [(row["engine"], row["slot"]) for row in crm.read("give_up_slots", WINDOWS, at=at)]


def test_a_slot_is_claimed_once(crm: Crm) -> None:
    assert open_run(crm) is not None
    assert open_run(crm, task="another beat") is None
    assert open_run(crm, engine="quotes") is not None, "every engine has its own slots"
    assert open_run(crm, slot=NOW + HOUR) is not None


def test_a_worked_slot_is_never_worked_again(crm: Crm) -> None:
    run = open_run(crm)
    crm.read("close_run", run, "succeeded", 1)
    assert open_run(crm, task="a copy of the message") is None
    assert open_run(crm) is None, "not even for the same message"


def test_a_worker_that_wakes_up_too_late_does_not_unmake_a_worked_slot(crm: Crm) -> None:
    run = open_run(crm, lease=timedelta(0))
    assert open_run(crm, task="the catch-up") == run
    crm.read("close_run", run, "succeeded", 1)
    crm.read("close_run", run, "failed", 0)
    assert crm.read("slot_state", "deals", NOW) == [{"slot_state": "worked"}]


def test_a_message_delivered_again_goes_on_with_its_run(crm: Crm) -> None:
    assert open_run(crm) == open_run(crm)


def test_a_run_whose_worker_fell_silent_is_taken_over(crm: Crm) -> None:
    run = open_run(crm, lease=timedelta(0))
    assert open_run(crm, task="the catch-up") == run
    assert open_run(crm, task="a third") is None, "the new owner holds a lease of its own"


@pytest.mark.parametrize("status", ["failed", "partly"])
def test_a_run_that_was_not_worked_whole_is_taken_over_and_says_what_still_fails(crm: Crm, status: str) -> None:
    run = open_run(crm)
    crm.execute("SELECT record_progress(%s, '1 hour', 1, 0, 0, '{}', '[{\"error\": \"x\"}]')", run)
    crm.read("close_run", run, status, 0)
    assert open_run(crm, task="the next try") == run
    row = crm.rows("SELECT status, finished_at, attempts, failures FROM engine_runs")
    assert row == [{"status": "running", "finished_at": None, "attempts": 2, "failures": []}]
    crm.read("close_run", run, "succeeded", 0)
    assert crm.rows("SELECT retry_at FROM engine_runs") == [{"retry_at": None}]


def test_what_is_left_of_a_slot_is_tried_ever_less_often(crm: Crm) -> None:
    waits = []
    for _ in range(9):
        crm.read("close_run", open_run(crm), "partly", 0)
        row = crm.one("SELECT round(extract(epoch FROM retry_at - clock_timestamp()) / 60) AS minutes FROM engine_runs")
        waits.append(row["minutes"])
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_by_hand_every_message_is_a_run_and_goes_on_with_it_when_it_is_delivered_again(crm: Crm) -> None:
    run = open_run(crm, slot=None)
    assert open_run(crm, slot=None) == run
    assert open_run(crm, slot=None, task="another") != run
    crm.read("close_run", run, "succeeded", 0)
    assert open_run(crm, slot=None) != run


def test_a_tenant_over_whom_workers_are_lost_is_counted(crm: Crm) -> None:
    costly, harmless = uuid4(), uuid4()
    for count in (1, 2):
        run = open_run(crm)
        crm.read("take_in_hand", run, harmless)
        crm.read("take_in_hand", run, costly)
        assert open_run(crm) == run
        assert crm.read("run_losses", run) == [{"tenant_id": costly, "n": count}]
    crm.read("close_run", run, "partly", 0)
    open_run(crm)
    assert crm.read("run_losses", run) == [{"tenant_id": costly, "n": 2}], "it was lost over nobody"


def test_a_run_by_hand_whose_worker_was_lost_does_not_run_for_ever(crm: Crm) -> None:
    lost, alive = open_run(crm, slot=None, lease=timedelta(0)), open_run(crm, slot=None, task="alive")
    on_time = open_run(crm, lease=timedelta(0))
    crm.read("close_lost_runs")
    rows = crm.rows("SELECT id, status FROM engine_runs ORDER BY id")
    assert [(row["id"], row["status"]) for row in rows] == [
        (lost, "failed"), (alive, "running"), (on_time, "running"),
    ], "a slot is left for the catch-up"  # fmt: skip


def test_of_two_workers_at_the_same_instant_one_gets_the_slot(crm: Crm, database_url: str) -> None:
    def claim(other: Connection) -> int | None:
        return open_run(Crm(other), task="other")

    with connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        with crm.connection.transaction():
            mine = open_run(crm)
            claimed = pool.submit(claim, other)
            waits = "SELECT FROM pg_locks WHERE NOT granted AND pid = %s"
            wait_until(lambda: bool(crm.rows(waits, other.info.backend_pid)))
        assert claimed.result(10) is None
    assert [row["id"] for row in crm.rows("SELECT id FROM engine_runs")] == [mine]


@pytest.mark.parametrize(
    ("lease", "closed_as", "left_alone"),
    [
        (HOUR, None, True), (timedelta(0), None, False), (HOUR, "succeeded", True), (HOUR, "failed", False),
        (HOUR, "partly", False),
    ],
)  # fmt: skip
def test_which_slots_the_catch_up_leaves_alone(
    crm: Crm, lease: timedelta, closed_as: str | None, left_alone: bool
) -> None:
    run = open_run(crm, lease=lease)
    if closed_as:
        crm.read("close_run", run, closed_as, 1)
        assert to_start(crm) == [], "it is not tried again at once"
        crm.execute("UPDATE engine_runs SET retry_at = clock_timestamp() WHERE retry_at IS NOT NULL")
    assert to_start(crm, at=NOW + 5 * HOUR) == [], "it is too old"
    assert to_start(crm) == ([] if left_alone else [("deals", NOW)])
    assert to_start(crm) == [], "a second one who asks is not told the same"


def test_a_slot_that_nobody_began_is_started_while_it_is_worth_it_and_then_missed_once(crm: Crm) -> None:
    for _ in range(2):  # by two beats
        crm.read("note_slots", ["deals", "quotes"], [NOW, NOW - HOUR], NOW)
    assert to_start(crm, at=NOW + HOUR) == [("deals", NOW)]
    assert given_up(crm, at=NOW + 5 * HOUR) == [("quotes", NOW - HOUR), ("deals", NOW)]
    assert given_up(crm, at=NOW + 6 * HOUR) == []
    assert to_start(crm, at=NOW + HOUR) == []
    run = open_run(crm, task="a late message")
    assert run is not None, "whoever comes for it all the same may have it"
    rows = crm.rows("SELECT status, attempts FROM engine_runs WHERE id = %s", run)
    assert rows == [{"status": "running", "attempts": 1}]


def test_a_slot_whose_worker_was_lost_ends_when_it_is_too_old(crm: Crm) -> None:
    open_run(crm, lease=timedelta(0))
    assert given_up(crm, at=NOW + 5 * HOUR) == [], "it was begun: it failed, and was not missed"
    assert crm.rows("SELECT status FROM engine_runs") == [{"status": "failed"}]


@pytest.mark.parametrize("slot", [NOW, None])
def test_a_run_that_a_person_cancels_leaves_off_and_nobody_takes_it_up(crm: Crm, slot: object) -> None:
    run = open_run(crm, slot=slot)
    progress = "SELECT record_progress(%s, '1 hour', 1, 1, 1, '{}', '[]') AS goes_on"
    assert crm.one(progress, run)["goes_on"]
    assert crm.read("cancel_run", run, "ann", "wrong texts") == [{"cancel_run": "running"}]
    assert not crm.one(progress, run)["goes_on"], "what was committed meanwhile is counted"
    crm.read("close_run", run, "succeeded", 1)
    [row] = crm.rows("SELECT status, due, cancelled_by, cancelled_why FROM engine_runs")
    assert row == {"status": "cancelled", "due": 2, "cancelled_by": "ann", "cancelled_why": "wrong texts"}
    assert to_start(crm) == []
    assert crm.read("cancel_run", run, "ann", "again") == [{"cancel_run": None}]
    if slot:
        assert open_run(crm, task="beat") is None
        assert crm.read("open_run", "deals", NOW, "backfill", None, "here", HOUR) == [{"open_run": run}]


def test_a_run_adds_up_its_batches_and_renews_its_lease(crm: Crm) -> None:
    run = open_run(crm, lease=timedelta(0))
    for reason in ("asked before", "asked before", "no address"):
        crm.execute(
            "SELECT record_progress(%s, '1 hour', 5, 3, 2, jsonb_build_object(%s::text, 2), '[{\"error\": \"x\"}]')",
            run, reason,
        )  # fmt: skip
    [row] = crm.rows("SELECT * FROM engine_runs")
    assert (row["due"], row["acted"], row["actions"], len(row["failures"])) == (15, 9, 6, 3)
    assert row["skipped"] == {"asked before": 4, "no address": 2}
    assert open_run(crm, task="the catch-up") is None


def feedback(crm: Crm, tenant: UUID) -> None:
    crm.order(tenant, delivered_at=NOW - days(7))


def feedback_not(crm: Crm, tenant: UUID) -> None:
    crm.order(tenant, delivered_at=NOW - days(6))


def expiry(crm: Crm, tenant: UUID) -> None:
    feedback(crm, tenant)
    crm.execute("UPDATE feedback_requests SET status = 'sent', expires_at = %s WHERE tenant_id = %s", NOW, tenant)


def stalled(crm: Crm, tenant: UUID) -> None:
    crm.deal(tenant)


def touched(crm: Crm, tenant: UUID) -> None:
    crm.deal(tenant, last_activity_at=NOW - days(2))


def waiting(crm: Crm, tenant: UUID) -> None:
    crm.deal(tenant, next_follow_up_at=NOW + HOUR)


def closed(crm: Crm, tenant: UUID) -> None:
    crm.deal(tenant, stage="won")


def quote(crm: Crm, tenant: UUID) -> None:
    crm.quote(tenant)


def lapsed(crm: Crm, tenant: UUID) -> None:
    crm.quote(tenant, next_follow_up_at=NOW + days(9), valid_until=NOW.date() - days(1))


def quote_not(crm: Crm, tenant: UUID) -> None:
    crm.quote(tenant, next_follow_up_at=NOW + HOUR)
    crm.quote(tenant, outcome="won")


def pending(crm: Crm, tenant: UUID) -> None:
    crm.enrichment(tenant)


def lost(crm: Crm, tenant: UUID) -> None:
    crm.enrichment(tenant, status="processing", claimed_at=NOW - HOUR)


def enriched(crm: Crm, tenant: UUID) -> None:
    crm.enrichment(tenant, status="completed")
    crm.enrichment(tenant, status="processing", claimed_at=NOW)


def schedule(crm: Crm, tenant: UUID) -> None:
    crm.schedule(tenant)


def check(crm: Crm, tenant: UUID) -> None:
    crm.check(tenant, crm.client(tenant))


def compliant(crm: Crm, tenant: UUID) -> None:
    crm.schedule(tenant, next_due_at=NOW + days(15))
    crm.check(tenant, crm.client(tenant), status="completed")


@pytest.mark.parametrize(
    ("engine", "due", "not_due"),
    [
        ("feedback", [feedback, expiry], [feedback_not]),
        ("deals", [stalled], [touched, waiting, closed]),
        ("quotes", [quote, lapsed], [quote_not]),
        ("enrichment", [pending, lost], [enriched]),
        ("compliance", [schedule, check], [compliant]),
    ],
)
def test_a_run_visits_the_tenants_with_due_work_and_no_others(
    crm: Crm, engine: str, due: list[Callable[[Crm, UUID], None]], not_due: list[Callable[[Crm, UUID], None]]
) -> None:
    for make in not_due:
        make(crm, crm.tenant())
    assert crm.due_tenants(engine) == set()
    expected = set()
    for make in due:
        tenant = crm.tenant()
        make(crm, tenant)
        expected.add(tenant)
        off = crm.tenant()
        make(crm, off)
        crm.mode(off, engine, "off")
    assert crm.due_tenants(engine) == expected
    crm.execute("UPDATE engine_settings SET mode = 'review'")
    assert len(crm.due_tenants(engine)) == 2 * len(due)


@pytest.fixture
def settled(crm: Crm) -> Callable[[UUID], list[int]]:
    """When rows of the queue were settled, in the order of all: of a big tenant, and of a small one."""
    crm.execute("CREATE SEQUENCE settled")
    crm.execute("ALTER TABLE contact_enrichment_queue ADD COLUMN settled bigint")
    crm.execute("GRANT USAGE ON SEQUENCE settled TO service_role")
    crm.execute(
        "CREATE FUNCTION note_settled() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.settled := nextval('settled'); RETURN NEW; END $$"
    )
    crm.execute(
        "CREATE TRIGGER note BEFORE UPDATE ON contact_enrichment_queue FOR EACH ROW EXECUTE FUNCTION note_settled()"
    )

    def of(tenant: UUID) -> list[int]:
        rows = crm.rows("SELECT settled FROM contact_enrichment_queue WHERE tenant_id = %s ORDER BY settled", tenant)
        return [row["settled"] for row in rows]

    return of


def queue(crm: Crm, rows: int) -> UUID:
    tenant = crm.tenant()
    for _ in range(rows):
        crm.enrichment(tenant, source_id=str(uuid4()))
    return tenant


def test_a_big_tenant_does_not_delay_a_small_one(crm: Crm, settled: Callable[[UUID], list[int]]) -> None:
    big, small = queue(crm, 60), queue(crm, 3)
    crm.run("enrichment", batch_size=10)
    assert settled(small)[-1] <= 13, "the small tenant had its turn after at most one batch of the big one"
    assert settled(big)[-1] == 63


def test_who_has_little_is_done_before_anybody_takes_much(crm: Crm, settled: Callable[[UUID], list[int]]) -> None:
    big, *small = queue(crm, 150), queue(crm, 3), queue(crm, 3), queue(crm, 3)
    crm.run("enrichment", batch_size=1000)
    assert max(settled(one)[-1] for one in small) <= 59, "at the first turn nobody takes more than fifty"
    assert settled(big)[-1] == 159
