"""The public set of real bounces, where it is: docs/explanation/undelivered-mail.md may not say too much."""

import os

import pytest

from bench.insight.bounces import FOLDER, Case, cases, given_up
from workers.inbound.parse import Parsed


@pytest.fixture(scope="module")
def found() -> list[Case]:
    """The messages of the set as they are read here."""
    read = cases()
    if not read:
        message = f"the public bounces are not in {FOLDER}: set FLEET_BOUNCES_DIR"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return read


def test_dead_addresses_are_given_up_and_live_ones_are_not(found: list[Case]) -> None:
    judged = [pair for case in found for pair in zip(case.dead, given_up(case), strict=True)]
    dead = [stopped for is_dead, stopped in judged if is_dead]
    live = [stopped for is_dead, stopped in judged if not is_dead]

    assert sum(dead) >= 0.95 * len(dead)
    assert sum(live) <= 0.01 * len(live)


def test_every_message_is_read_and_none_is_taken_for_a_persons(found: list[Case]) -> None:
    read = {case.name: case.mail.judgement.kind for case in found if isinstance(case.mail, Parsed)}

    assert set(read) == {case.name for case in found}
    assert [name for name, kind in read.items() if kind in ("reply", "bulk")] == []


def test_whom_a_bounce_did_not_reach_is_known(found: list[Case]) -> None:
    bounces = [
        case.mail.judgement for case in found if isinstance(case.mail, Parsed) and case.mail.judgement.kind == "bounce"
    ]

    assert all(failure.recipient for judgement in bounces for failure in judgement.failures)
