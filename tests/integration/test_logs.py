"""If these fail, nobody can read what the fleet did, or a log collector cannot tell whose and which run it was."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.crm import Crm, days, stalled_deal, supports_nobody, wait_until
from tests.fleet import Fleet
from tests.shell import fleet as command
from workers import clock
from workers.errors import SchemaMismatchError
from workers.logs import JsonFormatter, TextFormatter

RUN = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d deals: 1 due for 1 tenants, 1 acted, .* in \d+\.\d\d s$", re.MULTILINE
)


@contextmanager
def quiet_worker(fleet: Fleet) -> Iterator[None]:
    """A worker as the Procfile starts it: without Celery's banner."""
    with fleet.process("--quiet", "worker", "--concurrency=1", "--hostname=quiet@test", "--loglevel=INFO"):
        wait_until(lambda: fleet.client.control.ping(["quiet@test"], timeout=0.3), "the worker's first answer")
        yield


def printed(fleet: Fleet) -> str:
    return "".join(log.read_text() for log in fleet.home.glob("*/log"))


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_is_one_readable_line_and_celery_adds_none(fleet: Fleet, crm: Crm) -> None:
    crm.open_always(stalled_deal(crm, last_activity_at=clock.now() - days(9)))
    with quiet_worker(fleet):
        fleet.result(fleet.send("workers.deals.run"))
        wait_until(lambda: "delivery: 1 sent" in printed(fleet), "the delivery's line")
        lines = printed(fleet)
    assert len(RUN.findall(lines)) == 1, lines
    assert "superuser" not in lines
    assert not [noise for noise in ("received", "succeeded", "mingle", "workers.deals.run") if noise in lines]


def test_as_json_every_line_is_an_object_that_says_what_it_is_about(fleet: Fleet, crm: Crm) -> None:
    fleet.environment["FLEET_LOG"] = "json"
    bad = stalled_deal(crm, last_activity_at=clock.now() - days(9))
    good = stalled_deal(crm, last_activity_at=clock.now() - days(9))
    crm.open_always(good)
    words = dict.fromkeys(("company", "days_silent", "deal", "first_name", "owner_name")) | {"step": 1, "max_steps": 5}
    unreachable = crm.action(good, recipient="no address", run_at=clock.now(), variables=words)
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NEW.tenant_id = '{bad}' THEN RAISE 'disk on fire' USING ERRCODE = 'io_error'; END IF;"
        " RETURN NEW; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    with quiet_worker(fleet):
        run = fleet.result(fleet.send("workers.deals.run"))["run"]
        wait_until(lambda: "delivery: " in printed(fleet), "the delivery's line")
        lines = objects(printed(fleet))

    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", line["time"]) for line in lines)
    (told,) = (line for line in lines if line["message"].startswith("deals: "))
    assert (told["level"], told["engine"], told["run"]) == ("INFO", "deals", run)
    (failed,) = (line for line in lines if line.get("tenant") == str(bad))
    assert (failed["level"], failed["engine"], failed["run"]) == ("ERROR", "deals", run)
    assert "disk on fire" in failed["error"]
    assert failed["error"].startswith("Traceback")
    (refused,) = (line for line in lines if "action" in line)
    assert (refused["level"], refused["action"], refused["tenant"]) == ("WARNING", unreachable, str(good))
    assert "'no address' is no e-mail address" in refused["message"]


def test_beat_and_a_log_file_have_the_same_form(fleet: Fleet, tmp_path: Path) -> None:
    fleet.environment["FLEET_LOG"] = "json"
    file = tmp_path / "beat.log"
    with fleet.process("--quiet", "beat", "--loglevel=INFO", f"--logfile={file}"):
        wait_until(lambda: file.exists() and file.read_text().count("\n"), "beat's first line")
    assert objects(file.read_text())[0]["message"] == "beat: Starting..."


def test_what_an_operator_can_mend_needs_no_traceback(fleet: Fleet, crm: Crm) -> None:
    supports_nobody(crm.connection, "9999_future")
    with quiet_worker(fleet):
        fleet.send("workers.delivery.run", queue="delivery")
        wait_until(lambda: "9999_future" in printed(fleet), "the error's line")
        lines = printed(fleet)
    assert "ERROR Task workers.delivery.run" in lines
    assert "Traceback" not in lines


def test_the_command_line_logs_to_stderr_in_the_same_form(crm: Crm, database_url: str) -> None:
    stalled_deal(crm, last_activity_at=clock.now() - days(9))
    result = command(database_url, "run", "deals", "--json", FLEET_LOG="json")
    (line,) = objects(result.stderr)
    assert (line["engine"], line["run"]) == ("deals", json.loads(result.stdout)["run"])
    assert "deals: 1 due" in line["message"]

    mistake = command(database_url, "run", "dealz", FLEET_LOG="json")
    assert mistake.returncode == 2
    (line,) = objects(mistake.stderr)
    assert (line["level"], line["message"][:17]) == ("ERROR", "no engine 'dealz'")


def record(message: str, error: Exception | None = None, **extra: object) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    made = logging.LogRecord("workers.test", logging.WARNING, __file__, 1, message, None, exc_info)
    made.__dict__.update(extra)
    return made


def test_a_strangers_text_forges_no_line_and_moves_no_cursor() -> None:
    forged = "mail from \x1b[2Jann\n2026-03-02 09:00:00 deals: all is well"
    line = TextFormatter().format(record(forged))
    assert line.endswith(r"WARNING mail from \x1b[2Jann\n2026-03-02 09:00:00 deals: all is well")
    traceback = TextFormatter().format(record("failed", ValueError("\x1b[2J\u202e")))
    assert traceback.splitlines()[1:] == [r"ValueError: \x1b[2J\u202e"]
    assert json.loads(JsonFormatter().format(record(forged)))["message"] == forged
    assert JsonFormatter().format(record(forged)).isprintable()


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_clear_error_is_told_once(formatter: logging.Formatter) -> None:
    line = formatter.format(record("cannot start", SchemaMismatchError("run `fleet db migrate`")))
    assert "\n" not in line
    assert "SchemaMismatchError" not in line
