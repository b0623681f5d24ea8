"""`python -m tests.chaos --faults 100 --seed 7 8`: a table of what was done to fleets at work, and what came of it."""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import FAULTS
from tests.chaos.world import PATIENCE_SECONDS, World
from tests.crm import wait_until


class Course(NamedTuple):
    """What became of one fleet: for each fault the seconds until the next letter, and how `World.judge` counts."""

    seconds: dict[str, list[float]]
    verdict: Counter[str]


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
        seconds[name].append(world.time_to_next_letter(f"work after {name}"))
        sys.stderr.write(f"seed {seed}, {n}/{len(names)} {name}: {seconds[name][-1]:.1f} s\n")

    def is_done() -> bool:
        if in_a_hurry:
            world.end_waits()
        return world.is_done()

    wait_until(is_done, "all the work", PATIENCE_SECONDS)
    return seconds


def live_through(seed: int, faults: int, items: int) -> Course:
    """Let a fleet live through so many faults of all kinds in turn, in the order that the seed gives them."""
    chance = random.Random(seed)  # noqa: S311
    names = [name for _ in range(-(-faults // len(FAULTS))) for name in chance.sample(list(FAULTS), len(FAULTS))]
    with (
        tempfile.TemporaryDirectory(prefix="fleet-chaos-", ignore_cleanup_errors=True) as home,
        World(Path(home), items) as world,
    ):
        try:
            world.time_to_next_letter("the first work")
            course = Course(ill_treat(world, names[:faults], seed), world.judge())
            world.hear_from_beat()
        except BaseException:
            sys.stderr.write(world.log.read_text())
            raise
    print(json.dumps({"seed": seed, "faults": faults, **course.verdict}), flush=True)
    return course


def main() -> int:
    """Ill-treat fleets, print what became of each as JSON and of all in a table; 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--faults", type=int, default=100, help="into each fleet")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="of each fleet")
    parser.add_argument("--at-once", type=int, default=1, help="so many fleets side by side")
    parser.add_argument("--items", type=int, default=9, help="of work before and after each fault")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.at_once) as pool:
        courses = list(pool.map(partial(live_through, faults=options.faults, items=options.items), options.seed))
    print("| fault | times | median s to the next letter | longest |\n|---|---|---|---|")
    for name in FAULTS:
        if taken := [second for course in courses for second in course.seconds.get(name, ())]:
            print(f"| {name} | {len(taken)} | {statistics.median(taken):.1f} | {max(taken):.1f} |")
    verdict = Counter[str]()
    for course in courses:
        verdict.update(course.verdict)
    print(json.dumps({"seeds": options.seed, "faults": options.faults * len(courses), **verdict}))
    return int(any(verdict[wrong] for wrong in ("lost", "doubled", "strange")))


if __name__ == "__main__":
    sys.exit(main())
