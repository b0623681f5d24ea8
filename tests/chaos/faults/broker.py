"""What befalls the broker, and the messages in it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import redis

from tests.chaos.faults.moments import frozen, moment
from tests.chaos.world import World


@contextmanager
def empty_broker(world: World, chance: random.Random) -> Iterator[None]:
    """Every message that waits is lost."""
    moment(chance)
    world.broker.flushall()
    yield


@contextmanager
def restart_the_broker(world: World, chance: random.Random) -> Iterator[None]:
    """It comes back with nothing in it."""
    moment(chance)
    world.broker.flushall()
    world.restart(world.valkey)
    yield


@contextmanager
def freeze_the_broker(world: World, chance: random.Random) -> Iterator[None]:
    pid = world.broker.info("server")["process_id"]
    moment(chance)
    with frozen(psutil.Process(pid)):
        moment(chance, 3)
        yield


@contextmanager
def read_only_broker(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    world.broker.slaveof("127.0.0.1", 1)
    try:
        moment(chance, 2)
        yield
    finally:
        world.broker.slaveof()


@contextmanager
def cut_broker_connections(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    for kind in ("normal", "pubsub"):
        with suppress(redis.RedisError):
            world.broker.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    yield


@contextmanager
def every_message_again(world: World, chance: random.Random) -> Iterator[None]:
    for _ in range(3):
        world.kick(times=3)
        moment(chance, 0.2)
    yield
