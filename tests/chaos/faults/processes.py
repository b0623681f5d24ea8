"""What befalls the fleet's own processes, and the clocks they live by."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.chaos.faults.moments import frozen, moment
from tests.chaos.world import World, command_of
from tests.crm import wait_until

# Of the command lines of processes that decide something by a clock; each kind stands for a machine of its own.
_MACHINES = ("workers.app beat", "--queues=engines", "--queues=delivery")


@contextmanager
def kill_a_process(world: World, chance: random.Random) -> Iterator[None]:
    """kill -9, of a worker or of any other: no process can catch it."""
    moment(chance)
    with suppress(psutil.Error):
        chance.choice(world.processes()).kill()
    yield


@contextmanager
def stop_a_process(world: World, chance: random.Random) -> Iterator[None]:
    """SIGTERM, as a deployment sends it."""
    moment(chance)
    with suppress(psutil.Error):
        chance.choice(world.processes()).terminate()
    yield


@contextmanager
def freeze_a_process(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    with frozen(chance.choice(world.processes())):
        moment(chance, 2)
        yield


@contextmanager
def machine_asleep(world: World, chance: random.Random) -> Iterator[None]:
    """The whole fleet stands still, and wakes up to a clock that has gone on."""
    moment(chance)
    with frozen(*world.processes()):
        moment(chance, 4)
        yield


@contextmanager
def no_beat(world: World, chance: random.Random) -> Iterator[None]:
    with frozen(*(one for one in world.processes() if "beat" in command_of(one))):
        moment(chance, 4)
        yield


@contextmanager
def two_beats(world: World, chance: random.Random) -> Iterator[None]:
    """Another machine's beat, which knows nothing of the first one's."""
    log = world.home / "beat.log"
    memory = str(world.home / f"beat-{chance.random()}")
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "beat", "--schedule", memory, "--loglevel=INFO"]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=world.environment, stdout=output, stderr=output) as beat,
    ):
        try:
            wait_until(lambda: "beat: Starting" in log.read_text(), "the second beat", 60)
            moment(chance, 2)
            yield
        finally:
            beat.terminate()


@contextmanager
def a_clock_off(world: World, chance: random.Random) -> Iterator[None]:
    """Of the machines one is a minute and a half ahead or behind, and at last set right; meanwhile the work goes on."""
    moment(chance)
    world.set_clocks({chance.choice(_MACHINES): chance.choice([-90, 90])})
    try:
        world.time_to_next_letter("work while a clock is off")
        yield
    finally:
        world.set_clocks({})


@contextmanager
def clocks_jump(world: World, chance: random.Random) -> Iterator[None]:
    """All clocks but the database's are set back, by ten minutes or an hour, and forward again."""
    moment(chance)
    world.set_clocks({"workers.app": chance.choice([-600, -3600])})
    try:
        world.time_to_next_letter("work after all clocks were set back")
        yield
    finally:
        world.set_clocks({})
