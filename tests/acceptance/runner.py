"""One process of a crowd: connect, say so, wait for the word, run an engine, report what was done."""

import os
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.connection import Connection as Pipe

from workers import clock
from workers.db.session import connect
from workers.engines.registry import engine_named
from workers.runtime.dispatch import run_engine
from workers.settings import database_url


def main(pipe: Pipe, environment: Mapping[str, str], engine: str, at: datetime, batch_size: int) -> None:
    os.environ.update(environment)
    with connect(database_url()) as connection, clock.at(at):
        pipe.send("ready")
        pipe.recv()
        report = run_engine(connection, engine_named(engine), trigger="manual", batch_size=batch_size)
    assert report is not None
    pipe.send(report.as_dict())
