"""What befalls the mail server."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from tests.chaos.faults.moments import moment
from tests.chaos.world import World


@contextmanager
def mail_server_away(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    world.mail.stop()
    try:
        moment(chance, 2)
        yield
    finally:
        world.mail.__enter__()


@contextmanager
def mail_server_not_ready(world: World, chance: random.Random) -> Iterator[None]:
    """It closes with 421 after the message, which it did not take."""
    moment(chance)
    world.mail.answer = lambda _address, _message: "421 4.3.2 shutting down"
    try:
        moment(chance, 2)
        yield
    finally:
        world.mail.answer = lambda _address, _message: None


@contextmanager
def mail_server_hangs(world: World, chance: random.Random) -> Iterator[None]:
    """It has read a message, and does not say what becomes of it."""
    over = threading.Event()

    async def hang() -> None:
        await asyncio.to_thread(over.wait)

    moment(chance)
    world.mail.answer = lambda _address, _message: hang()
    try:
        moment(chance, 3)
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

    moment(chance)
    world.mail.answer = take
    try:
        moment(chance, 1)
        yield
    finally:
        world.mail.answer = lambda _address, _message: None
