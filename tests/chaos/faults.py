"""What is done to a fleet at work. Each fault is there while its block lasts, and is over when it ends."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from email.message import EmailMessage

import psutil
import psycopg
import redis

from tests.chaos.world import World, command_of
from tests.crm import wait_until

Fault = Callable[[World, random.Random], AbstractContextManager[None]]


def _moment(chance: random.Random, longest: float = 0.8) -> None:
    """Let the fleet come to a random point of its work: here alone time is waited for, not a condition."""
    time.sleep(chance.uniform(0, longest))


@contextmanager
def kill_a_process(world: World, chance: random.Random) -> Iterator[None]:
    """kill -9, of a worker or of any other: no process can catch it."""
    _moment(chance)
    with suppress(psutil.Error):
        chance.choice(world.processes()).kill()
    yield


@contextmanager
def stop_a_process(world: World, chance: random.Random) -> Iterator[None]:
    """SIGTERM, as a deployment sends it."""
    _moment(chance)
    with suppress(psutil.Error):
        chance.choice(world.processes()).terminate()
    yield


@contextmanager
def freeze_a_process(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    with _frozen(chance.choice(world.processes())):
        _moment(chance, 2)
        yield


@contextmanager
def machine_asleep(world: World, chance: random.Random) -> Iterator[None]:
    """The whole fleet stands still, and wakes up to a clock that has gone on."""
    _moment(chance)
    with _frozen(*world.processes()):
        _moment(chance, 4)
        yield


@contextmanager
def no_beat(world: World, chance: random.Random) -> Iterator[None]:
    with _frozen(*(one for one in world.processes() if "beat" in command_of(one))):
        _moment(chance, 4)
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
            _moment(chance, 2)
            yield
        finally:
            beat.terminate()


@contextmanager
def cut_database_connections(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    yield


@contextmanager
def crash_the_database(world: World, chance: random.Random) -> Iterator[None]:
    """A backend dies of SIGKILL: PostgreSQL throws out everybody and recovers from its journal."""
    _moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        pids = [
            pid
            for (pid,) in admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        ]
        pid = chance.choice(pids) if pids else admin.info.backend_pid
    with suppress(psutil.Error):
        psutil.Process(pid).kill()
    wait_until(world.database_answers, "the database")
    yield


@contextmanager
def restart_the_database(world: World, chance: random.Random) -> Iterator[None]:
    """As its host does: it throws out everybody first."""
    _moment(chance)
    world.restart(world.postgres)
    yield


@contextmanager
def restart_the_database_at_once(world: World, chance: random.Random) -> Iterator[None]:
    """An immediate shutdown, after which it recovers from its journal."""
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        postmaster = psutil.Process(admin.info.backend_pid).parent()
    _moment(chance)
    assert postmaster is not None
    postmaster.send_signal(signal.SIGQUIT)
    world.restart(world.postgres)
    yield


@contextmanager
def freeze_the_database(world: World, chance: random.Random) -> Iterator[None]:
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        postmaster = psutil.Process(admin.info.backend_pid).parent()
    _moment(chance)
    assert postmaster is not None
    with _frozen(postmaster, *postmaster.children()):
        _moment(chance, 2)
        yield


@contextmanager
def read_only_database(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute("SET default_transaction_read_only = off")
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            _moment(chance, 2)
            yield
        finally:
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")


@contextmanager
def lock_a_hot_table(world: World, chance: random.Random) -> Iterator[None]:
    table = chance.choice(["scheduled_actions", "deals", "quotes", "contacts", "engine_runs"])
    with closing(psycopg.connect(world.database_url)) as holder:
        _moment(chance)
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        _moment(chance, 2)
        yield


@contextmanager
def host_statement_timeout(world: World, chance: random.Random) -> Iterator[None]:
    """The host lets no statement take longer than a moment."""
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute(f"ALTER ROLE postgres SET statement_timeout = '{chance.randint(5, 60)}ms'")
        try:
            _moment(chance, 2)
            yield
        finally:
            admin.execute("SET statement_timeout = 0")
            admin.execute("ALTER ROLE postgres RESET statement_timeout")


@contextmanager
def exhausted_connections(world: World, chance: random.Random) -> Iterator[None]:
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            for _ in range(200):
                taken.enter_context(closing(psycopg.connect(world.database_url)))
        _moment(chance, 2)
        yield


@contextmanager
def empty_broker(world: World, chance: random.Random) -> Iterator[None]:
    """Every message that waits is lost."""
    _moment(chance)
    world.broker.flushall()
    yield


@contextmanager
def restart_the_broker(world: World, chance: random.Random) -> Iterator[None]:
    """It comes back with nothing in it."""
    _moment(chance)
    world.broker.flushall()
    world.restart(world.valkey)
    yield


@contextmanager
def freeze_the_broker(world: World, chance: random.Random) -> Iterator[None]:
    pid = world.broker.info("server")["process_id"]
    _moment(chance)
    with _frozen(psutil.Process(pid)):
        _moment(chance, 3)
        yield


@contextmanager
def read_only_broker(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    world.broker.slaveof("127.0.0.1", 1)
    try:
        _moment(chance, 2)
        yield
    finally:
        world.broker.slaveof()


@contextmanager
def cut_broker_connections(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    with suppress(redis.RedisError):
        world.broker.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield


@contextmanager
def every_message_again(world: World, chance: random.Random) -> Iterator[None]:
    for _ in range(3):
        world.kick(times=3)
        _moment(chance, 0.2)
    yield


@contextmanager
def mail_server_away(world: World, chance: random.Random) -> Iterator[None]:
    _moment(chance)
    world.mail.stop()
    try:
        _moment(chance, 2)
        yield
    finally:
        world.mail.__enter__()


@contextmanager
def mail_server_not_ready(world: World, chance: random.Random) -> Iterator[None]:
    """It closes with 421 after the message, which it did not take."""
    _moment(chance)
    world.mail.answer = lambda _address, _message: "421 4.3.2 shutting down"
    try:
        _moment(chance, 2)
        yield
    finally:
        world.mail.answer = lambda _address, _message: None


@contextmanager
def mail_server_hangs(world: World, chance: random.Random) -> Iterator[None]:
    """It has read a message, and does not say what becomes of it."""
    over = threading.Event()

    async def hang() -> None:
        await asyncio.to_thread(over.wait)

    _moment(chance)
    world.mail.answer = lambda _address, _message: hang()
    try:
        _moment(chance, 3)
        yield
    finally:
        world.mail.answer = lambda _address, _message: None
        over.set()


@contextmanager
def mail_server_lies(world: World, chance: random.Random) -> Iterator[None]:
    """It takes a message and says that it did not: it comes again, which nobody can prevent, under its Message-ID."""

    def take(address: str, message: EmailMessage) -> str:
        world.mail.received.append((address, message))
        return "451 4.3.0 try again later"

    _moment(chance)
    world.mail.answer = take
    try:
        _moment(chance, 1)
        yield
    finally:
        world.mail.answer = lambda _address, _message: None


FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        kill_a_process, stop_a_process, freeze_a_process, machine_asleep, no_beat, two_beats,
        cut_database_connections, crash_the_database, restart_the_database, restart_the_database_at_once,
        freeze_the_database, read_only_database, lock_a_hot_table, host_statement_timeout, exhausted_connections,
        empty_broker, restart_the_broker, freeze_the_broker, read_only_broker, cut_broker_connections,
        every_message_again, mail_server_away, mail_server_not_ready, mail_server_hangs, mail_server_lies,
    )
}  # fmt: skip


@contextmanager
def _frozen(*processes: psutil.Process) -> Iterator[None]:
    """Let processes stand still: they neither answer nor hang up."""
    try:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
