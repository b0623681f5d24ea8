"""If these fail, `fleet up` leaves servers behind, hides why it ended, or says what nobody can read."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import psutil
import pytest
from celery import Celery
from honcho.printer import Message

from tests.crm import Crm, stalled_deal, wait_until
from tests.databases import WAITING_FOR_A_LOCK
from tests.shell import FLEET, one_line
from workers.db.session import connect
from workers.supervise import Printer


@contextmanager
def up(home: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*FLEET, "up", *options], env=os.environ | {"FLEET_HOME": str(home)} | environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def read_until(process: subprocess.Popen[str], end: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if end in line:
            return lines
    pytest.fail("\n".join(["it ended before that:", *lines]))


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_up_without_its_broker_ends_with_one_line(tmp_path: Path, database_url: str) -> None:
    environment = os.environ | {"REDIS_URL": "redis://u:secret@127.0.0.1:1/0", "DATABASE_URL": database_url}
    result = subprocess.run(
        [*FLEET, "up"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = one_line(result)
    assert "cannot reach the broker redis://u@127.0.0.1:1/0" in line
    assert "secret" not in line


def test_up_stopped_before_all_has_started_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "a home"  # with a space, which PostgreSQL's own starter cannot have in a socket's folder
    with up(home, "--no-demo") as process:
        wait_until((home / "postgres" / "postmaster.pid").exists, seconds=30)
        process.terminate()
        process.communicate(timeout=60)
    assert not (home / "postgres" / "postmaster.pid").exists()
    assert not (home / "servers.json").exists()


def test_up_starts_again_what_dies_and_goes_on_meanwhile(tmp_path: Path) -> None:
    with up(tmp_path, "--no-demo") as process:
        text = "\n".join(read_until(process, "beat: Starting"))
        family = psutil.Process(process.pid).children(recursive=True)
        for name in ("beat", "delivery", "flower", "flower"):
            pid = re.findall(rf"{name} started \(pid=(\d+)\)", text)[-1]
            os.kill(int(pid), signal.SIGKILL)
            text += "\n".join(read_until(process, f"{name} ended by itself (rc=-9)"))
            text += "\n".join(read_until(process, f"{name} started"))
        # Who starts a process and listens to it is a process, too; with it, what it started ends.
        pid = re.findall(r"beat started \(pid=(\d+)\)", text)[-1]
        os.kill(psutil.Process(int(pid)).ppid(), signal.SIGKILL)
        text += "\n".join(read_until(process, "beat ended by itself (rc=-9), time 2"))
        text += "\n".join(read_until(process, "beat started"))
        assert "time 2 in a row: it is started again in 2 s" in text
        urls = json.loads((tmp_path / "servers.json").read_text())
        with closing(Celery(broker=urls["REDIS_URL"], backend=urls["REDIS_URL"], set_as_current=False)) as client:
            assert client.send_task("workers.delivery.run", queue="delivery").get(timeout=60) == {}
        family += psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert alive(family) == []


def test_up_notices_that_a_server_died_and_ends_the_rest(tmp_path: Path) -> None:
    with up(tmp_path, "--no-demo") as process:
        read_until(process, "beat: Starting")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 8
        os.kill(int((tmp_path / "valkey" / "valkey.pid").read_text()), signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "the embedded Valkey died: see" in output.splitlines()[-1], output
    assert alive(family) == []


def test_up_is_readable_shows_all_of_the_fleet_in_flower_and_leaves_no_process(tmp_path: Path) -> None:
    with up(tmp_path, COLUMNS="200") as process:
        lines = read_until(process, "Ctrl-C stops it")
        family = psutil.Process(process.pid).children(recursive=True)
        (url,) = (line.split()[-1] for line in lines if line.startswith("flower:  "))

        def seen() -> list[str]:
            try:
                rows = httpx.get(f"{url}/workers", params={"json": "1"}, timeout=5).json()["data"]
            except httpx.TransportError:  # it starts last
                return []
            return sorted(row["hostname"].partition("@")[0] for row in rows)

        wait_until(lambda: seen() == ["delivery", "engines", "inbound"], seconds=60)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0, output
    text = "\n".join(lines) + output
    assert re.search(
        r"^worker   \| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d deals: [1-9]\d* due for 4 tenants, ", text, re.MULTILINE
    )
    assert re.search(r"^  enrichment   4 ", text, re.MULTILINE)
    assert not [word for word in ("superuser", "succeeded in", "Inspect method", "Traceback") if word in text]
    assert output.rstrip().endswith("fleet: stopped; the data stays, `make run` goes on with it")
    assert alive(family) == []


def test_up_runs_nothing_of_a_crm_before_its_slot_and_says_how_to_look_first(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        stalled_deal(Crm(connection), last_activity_at="2026-01-01")
        with up(tmp_path, DATABASE_URL=database_url) as process:
            lines = read_until(process, "Ctrl-C stops it")
        assert connection.execute("SELECT FROM engine_runs WHERE trigger = 'manual'").fetchone() is None
    assert "nothing was run: each engine waits for its slot. What it would do then: fleet preview" in lines


def test_what_a_process_prints_stays_under_its_name_and_cannot_act(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False)
    printer.width = 8
    raw = b"\x1b[2Jmail\r\n\n\xe2\x80\xaefleet: all is well\xff\n"
    printer.write(Message("line", raw, datetime.now(), "worker", None))  # noqa: DTZ005  # as honcho makes it
    assert capsys.readouterr().out == "worker   | \\x1b[2Jmail\nworker   | \\u202efleet: all is well\ufffd\n"


def test_up_as_json_is_json_to_the_last_line_and_a_task_under_way_is_finished_first(tmp_path: Path) -> None:
    with up(tmp_path, FLEET_LOG="json") as process:
        lines = read_until(process, "Ctrl-C stops it")
        urls = json.loads((tmp_path / "servers.json").read_text())
        with connect(urls["DATABASE_URL"]) as connection, connection.transaction():
            connection.execute("LOCK TABLE scheduled_actions IN ACCESS EXCLUSIVE MODE")
            with closing(Celery(broker=urls["REDIS_URL"], set_as_current=False)) as client:
                client.send_task("workers.delivery.run", queue="delivery")
            wait_until(lambda: connection.execute(WAITING_FOR_A_LOCK).fetchone(), "the delivery")
            process.send_signal(signal.SIGINT)
            lines += read_until(process, "Warm shutdown")
        # Not `communicate`, which knows nothing of the lines that have been read ahead.
        lines += read_until(process, "fleet: stopped")
        assert process.wait(60) == 0, lines
    told = [json.loads(line) for line in lines]
    assert all(line["time"].endswith("+00:00") for line in told)
    assert {line["level"] for line in told} == {"INFO"}
    assert {"deals", "quotes"} <= {line["engine"] for line in told if "run" in line}
    assert {"system", "delivery", "workers.up"} <= {line["logger"] for line in told}
