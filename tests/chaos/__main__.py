"""`python -m tests.chaos --faults 100 --seed 7`: a table of what was done to a fleet at work, and what became of it."""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.world import World
from tests.crm import wait_until

# What a fault keeps from leaving is tried again after a minute, then after two …; a sender's lease lasts four.
PATIENCE_SECONDS = 900


def ill_treat(world: World, names: Sequence[str], seed: int, *, in_a_hurry: bool = False) -> dict[str, list[float]]:
    """Commit the faults one after the other while work goes on, and wait at last until all of it is done.

    Args:
        world: a fleet at work.
        names: of FAULTS.
        seed: of what is left to chance: which process, at which moment.
        in_a_hurry: at the end nobody waits for leases and pauses.

    Returns:
        For each fault how many seconds after it the first letter about something new left.

    Raises:
        AssertionError: it did not in time, or not everything was done at last.
    """
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    seconds: dict[str, list[float]] = defaultdict(list)
    for n, name in enumerate(names, start=1):
        world.begin_round()
        world.kick()
        with FAULTS[name](world, chance):
            pass
        over = time.monotonic()
        tenant = world.begin_round()
        wait_until(lambda tenant=tenant: world.has_written(tenant), f"work after {name}", PATIENCE_SECONDS)  # type: ignore[misc]
        seconds[name].append(time.monotonic() - over)
        sys.stderr.write(f"{n}/{len(names)} {name}: {seconds[name][-1]:.1f} s\n")

    def is_done() -> bool:
        if in_a_hurry:
            world.end_waits()
        return world.is_done()

    wait_until(is_done, "all the work", PATIENCE_SECONDS)
    return seconds


def main() -> int:
    """Ill-treat a fleet, print a table and JSON, and return 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--items", type=int, default=9)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311
    names = [
        name for _ in range(-(-options.faults // len(FAULTS))) for name in chance.sample(list(FAULTS), len(FAULTS))
    ]
    with (
        tempfile.TemporaryDirectory(prefix="fleet-chaos-", ignore_cleanup_errors=True) as home,
        World(Path(home), options.items) as world,
    ):
        try:
            seconds = ill_treat(world, names[: options.faults], options.seed)
        except AssertionError:
            sys.stderr.write(world.log.read_text())
            raise
        verdict = world.judge()
    print("| fault | times | median s to the next letter | longest |\n|---|---|---|---|")
    for name in FAULTS:
        if taken := seconds.get(name):
            print(f"| {name} | {len(taken)} | {statistics.median(taken):.1f} | {max(taken):.1f} |")
    print(json.dumps({"seed": options.seed, "faults": options.faults, **verdict}))
    return int(any(verdict[wrong] for wrong in ("lost", "doubled", "strange")))


if __name__ == "__main__":
    sys.exit(main())
