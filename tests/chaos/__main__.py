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
from tests.chaos.world import PATIENCE_SECONDS, World
from tests.crm import wait_until


def ill_treat(world: World, names: Sequence[str], seed: int, *, in_a_hurry: bool = False) -> dict[str, list[float]]:
    """Commit the faults one after the other, and return how many seconds each took the fleet to be through afterwards.

    Args:
        world: a fleet at work.
        names: of FAULTS.
        seed: of what is left to chance: which process, at which moment.
        in_a_hurry: leases of dead senders end at once.

    Raises:
        AssertionError: a round's work was not done in time.
    """
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    seconds: dict[str, list[float]] = defaultdict(list)
    for name in names:
        tenant = world.begin_round()
        world.kick()
        with FAULTS[name](world, chance):
            pass
        if in_a_hurry:
            world.end_leases()
        over = time.monotonic()
        wait_until(lambda tenant=tenant: world.is_done(tenant), f"the work after {name}", PATIENCE_SECONDS)  # type: ignore[misc]
        seconds[name].append(time.monotonic() - over)
    return seconds


def main() -> int:
    """Ill-treat a fleet, print a table and JSON, and return 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--items", type=int, default=30)
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
    print("| fault | times | median s to be through | longest |\n|---|---|---|---|")
    for name in FAULTS:
        if taken := seconds.get(name):
            print(f"| {name} | {len(taken)} | {statistics.median(taken):.1f} | {max(taken):.1f} |")
    print(json.dumps({"seed": options.seed, "faults": options.faults, **verdict}))
    return int(any(verdict[wrong] for wrong in ("lost", "doubled", "strange")))


if __name__ == "__main__":
    sys.exit(main())
