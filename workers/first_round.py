"""`python -m workers.first_round demo|wait PLACE...`: what `fleet up` says once it has started everything.

With demo data each engine runs once through the broker first, so that there is something to see; with anybody else's
nothing runs before its slot. `fleet up` starts it beside the workers and goes on whatever becomes of it.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

from celery.exceptions import TimeoutError as CeleryTimeoutError

from workers import logs
from workers.db.session import connect, transaction
from workers.engines.registry import all_engines
from workers.errors import first_line
from workers.logs import tell
from workers.settings import database_url
from workers.terminal import out, report_table

_SECONDS: Final = 120


def main(places: Sequence[str], *, demo: bool) -> None:
    """Show what came of the first round, if there may be one, and the places to look at."""
    logs.configure()
    if not demo:
        tell("nothing was run: each engine waits for its slot. What it would do then: fleet preview")
    elif not _show_round():
        return
    for place in places:
        tell(place)
    tell("The fleet is up on its timetable. In another terminal: fleet status. Ctrl-C stops it.")


def _show_round() -> bool:
    """Run it and show what came of it; False if it was not seen to its end."""
    try:
        reports, counts = _work()
    except CeleryTimeoutError:
        tell("fleet: the workers do not answer yet; `fleet status` tells when they have run", style="yellow")
        return False
    except Exception as error:  # noqa: BLE001  # a task's own error arrives here as whatever class it had
        tell(f"fleet: the first round was not seen to its end: {first_line(error)}", style="yellow")
        return False
    if not logs.as_json():  # each run has said it in a line of its own
        out.print()
        out.print(report_table(reports))
    tell(f"outbox:   {', '.join(f'{n} {status}' for status, n in sorted(counts.items())) or 'empty'}")
    if counts.get("scheduled"):
        tell("          scheduled ones wait for their time, a sending window, or a paused tenant")
    return True


def _work() -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return what each engine did, and how many actions are in which status after a delivery."""
    from workers.app import app  # noqa: PLC0415  # what it cannot do without settings is said above

    sent = [app.send_task(f"workers.{name}.run") for name in all_engines()]
    reports = [task.get(timeout=_SECONDS) for task in sent]
    app.send_task("workers.delivery.run").get(timeout=_SECONDS)
    with connect(database_url()) as connection, transaction(connection):
        counts = {row["status"]: row["n"] for row in connection.execute("SELECT * FROM fleet_action_counts()")}
    return reports, counts


if __name__ == "__main__":
    main(sys.argv[2:], demo=sys.argv[1] == "demo")
