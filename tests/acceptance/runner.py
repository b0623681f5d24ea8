"""One process of a crowd: connect, say so, wait for the word, run an engine, print what was done as JSON.

`python -m tests.acceptance.runner ENGINE INSTANT BATCH_SIZE`, with DATABASE_URL in the environment.
"""

import json
import sys
from datetime import datetime

from workers import clock
from workers.db.session import connect
from workers.engines.registry import engine_named
from workers.runtime.dispatch import run_engine
from workers.settings import database_url


def main(engine: str, instant: str, batch_size: str) -> None:
    with connect(database_url()) as connection, clock.at(datetime.fromisoformat(instant)):
        print("ready", flush=True)
        sys.stdin.readline()
        report = run_engine(connection, engine_named(engine), trigger="manual", batch_size=int(batch_size))
    assert report is not None
    print(json.dumps(report.as_dict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
