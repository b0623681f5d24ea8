"""`python -m tests.year FOLDER --seed 1`: the whole year, once without a break and once cut and resumed."""

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.databases import copy_of
from tests.year.course import BEGIN, END, Course, prepare
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate

MOST_SHOWN = 10


def main() -> int:
    """Live through the year twice, print the figures as JSON, and return 1 if the two differ in anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.year")
    parser.add_argument("folder", type=Path, help="where the public CRM sales data is")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=_day, default=END, help="a day of that year")
    options = parser.parse_args()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="fleet-year-", ignore_cleanup_errors=True) as home,
        EmbeddedServers(Path(home), valkey=False) as servers,
    ):
        url = servers.urls["DATABASE_URL"]
        migrate(url)
        prepare(url, options.folder)
        with copy_of(url) as undisturbed, Course(undisturbed) as whole:
            whole.pass_days(BEGIN, options.until, _say)
            expected = whole.outcome()
        with Course(url, random.Random(options.seed)) as cut:  # noqa: S311  # to be repeated
            cut.pass_days(BEGIN, options.until, _say)
            found = cut.outcome()
    other = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    for key in other[:MOST_SHOWN]:
        sys.stderr.write(f"\n{key}\n- {expected.get(key)}\n+ {found.get(key)}\n")
    print(json.dumps({
        "seed": options.seed, "cuts": cut.cuts, "letters": whole.letters.total(),
        "letters_sent_again": cut.letters.total() - len(cut.letters), "different": len(other),
        "seconds": round(time.monotonic() - begun),
    }))  # fmt: skip
    return int(bool(other))


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _say(day: datetime) -> None:
    sys.stderr.write(f"\r{day:%Y-%m-%d}")


if __name__ == "__main__":
    sys.exit(main())
