"""If this fails, a fault in the middle of the work loses a letter, or sends one twice. `make chaos` has more."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import ill_treat
from tests.chaos.world import World

FAULTS = ["kill a process", "crash the database", "every message again", "empty broker", "cut database connections"]


def test_faults_in_the_middle_of_the_work_lose_and_double_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home: Path = tmp_path_factory.mktemp("c")  # short, for the sockets' sake
    with World(home, items=9) as world:
        seconds = ill_treat(world, FAULTS, seed=11, in_a_hurry=True)
        verdict = world.judge()
    assert seconds.keys() == set(FAULTS)
    assert verdict["items"] == 9 * 2 * len(FAULTS)
    assert {wrong: verdict[wrong] for wrong in ("lost", "doubled", "strange")} == dict.fromkeys(
        ("lost", "doubled", "strange"), 0
    )
