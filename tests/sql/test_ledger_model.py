"""If this fails, some order of messages, silences and endings loses a slot, or has it worked again."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule

from tests.crm import NOW, Crm, days
from tests.machines import try_orders
from workers.engines.base import Tally
from workers.runtime import ledger
from workers.runtime.ledger import LEASE, Failure, Status

ENGINES = ("deals", "quotes")
SLOTS = (NOW, NOW + days(1))
MESSAGES = ("beat", "another beat", "catch-up")
TENANTS = (uuid4(), uuid4())


@dataclass
class Run:
    """What a run ought to be; of a lease, the minute in which it is over."""

    engine: str
    slot: datetime | None
    message: str
    lease: float
    status: str = "running"
    attempts: int = 1
    due: int = 0
    failures: int = 0
    in_hand: UUID | None = None
    lost: Counter[UUID] = field(default_factory=Counter)

    def is_running(self, engine: str, message: str) -> bool:
        return (self.status, self.engine, self.message) == ("running", engine, message)

    def is_lost(self, minute: float) -> bool:
        return self.status == "running" and self.lease <= minute


class Ledger(RuleBasedStateMachine):
    """Messages come, come again, and come too late; their workers work, fall silent and wake up again."""

    crm: Crm
    workers: Bundle[int] = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.crm.execute("DELETE FROM engine_runs")
        self.connection = self.crm.connection
        self.minute: float = 0
        self.runs: dict[int, Run] = {}

    @rule(
        target=workers, engine=st.sampled_from(ENGINES), slot=st.sampled_from(SLOTS), message=st.sampled_from(MESSAGES)
    )  # fmt: skip
    def a_slot_is_announced(self, engine: str, slot: datetime, message: str) -> int | MultipleResults[int]:
        run = ledger.open_run(self.connection, engine, slot, "beat", message)
        known = next((n for n, one in self.runs.items() if (one.engine, one.slot) == (engine, slot)), None)
        if known is None:
            return self._begun(run, engine, slot, message)
        expected = self.runs[known]
        again = expected.is_running(engine, message)
        if not (expected.status in ("failed", "partly") or expected.is_lost(self.minute) or again):
            assert run is None, "two work on one slot, or one works on what is worked"
            return multiple()
        assert run == known
        expected.message, expected.failures = message, 0
        return self._taken_over(known)

    @rule(target=workers, engine=st.sampled_from(ENGINES), message=st.sampled_from(MESSAGES))
    def somebody_starts_it_by_hand(self, engine: str, message: str) -> int:
        run = ledger.open_run(self.connection, engine, None, "manual", message)
        for known, expected in self.runs.items():
            if expected.slot is None and expected.is_running(engine, message):
                assert run == known, "the message that is delivered again does not go on with its run"
                return self._taken_over(known)
        return self._begun(run, engine, None, message)

    @rule(worker=workers, due=st.integers(0, 3), tenant=st.sampled_from(TENANTS))
    def a_batch_is_done(self, worker: int, due: int, tenant: UUID) -> None:
        """By whoever once had the run: also by one that fell silent and woke up again."""
        ledger.record_progress(self.connection, worker, Tally(due=due), tenant)
        expected = self.runs[worker]
        expected.lease, expected.in_hand = self.minute + _minutes(LEASE), tenant
        expected.due += due

    @rule(worker=workers, tenant=st.sampled_from(TENANTS))
    def a_tenant_fails(self, worker: int, tenant: UUID) -> None:
        ledger.record_failure(self.connection, worker, Failure(tenant, "its rows are refused"))
        self.runs[worker].lease = self.minute + _minutes(LEASE)
        self.runs[worker].failures += 1

    @rule(worker=workers, status=st.sampled_from(["succeeded", "partly", "failed"]))
    def it_ends(self, worker: int, status: Status) -> None:
        """Also for one that another took over meanwhile; what has ended stays so."""
        ledger.close_run(self.connection, worker, status, 1)
        expected = self.runs[worker]
        if expected.status == "running":
            expected.status, expected.in_hand = status, None

    @rule(minutes=st.sampled_from([1, 2, 5, 60]))
    def time_passes(self, minutes: int) -> None:
        self.minute += minutes
        self.crm.execute("UPDATE engine_runs SET lease_until = lease_until - %s::interval", timedelta(minutes=minutes))

    @rule()
    def the_catch_up_looks_around(self) -> None:
        """And sees of every slot how it stands."""
        ledger.close_lost_runs(self.connection)
        for run in self.runs.values():
            if run.slot is None and run.is_lost(self.minute):
                run.status = "failed"
        for engine in ENGINES:
            for slot in SLOTS:
                known = [one for one in self.runs.values() if (one.engine, one.slot) == (engine, slot)]
                states = [None if one.is_lost(self.minute) else one.status for one in known] or [None]
                state = ledger.slot_state(self.connection, engine, slot)
                assert ["succeeded" if state == "worked" else state] == states
        for number, run in self.runs.items():
            assert ledger.losses(self.connection, number) == run.lost

    @invariant()
    def each_run_says_what_was_done_in_it(self) -> None:
        rows = self.crm.rows("SELECT id, status, attempts, due, failures FROM engine_runs")
        assert {row["id"]: (row["status"], row["attempts"], row["due"], len(row["failures"])) for row in rows} == {
            number: (run.status, run.attempts, run.due, run.failures) for number, run in self.runs.items()
        }

    def _begun(self, number: int | None, engine: str, slot: datetime | None, message: str) -> int:
        assert number is not None, "nobody has it, and nobody gets it"
        assert number not in self.runs
        self.runs[number] = Run(engine, slot, message, self.minute + _minutes(LEASE))
        return number

    def _taken_over(self, number: int) -> int:
        run = self.runs[number]
        if run.status == "running" and run.in_hand is not None:
            run.lost[run.in_hand] += 1
        run.status, run.in_hand, run.lease = "running", None, self.minute + _minutes(LEASE)
        run.attempts += 1
        return number


@pytest.mark.fuzz
def test_whatever_the_order_a_slot_that_somebody_holds_or_that_is_whole_is_given_to_nobody(crm: Crm) -> None:
    Ledger.crm = crm
    try_orders(Ledger)


def _minutes(span: timedelta) -> float:
    return span / timedelta(minutes=1)
