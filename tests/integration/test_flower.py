"""If these fail, another site reads Flower through a visitor's browser, or Flower shows half of the fleet."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.crm import wait_until
from tests.fleet import Fleet
from tests.mail import free_port

SEND: Final = "/api/task/send-task/workers.deals.run"

Ask = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its settings must be found from any folder


@contextmanager
def flower(fleet: Fleet, **environment: str) -> Iterator[Ask]:
    """Start Flower; yields how it is asked: (path, method, host, auth)."""
    port = free_port()
    fleet.environment |= {"FLEET_FLOWER_PORT": str(port)} | environment

    def ask(
        path: str, method: str = "GET", host: str = "localhost", auth: tuple[str, str] | None = None
    ) -> httpx.Response:
        url = f"http://127.0.0.1:{port}{path}"
        return httpx.request(method, url, headers={"Host": f"{host}:{port}"}, auth=auth, timeout=5)

    def answers() -> bool:
        try:
            return ask("/healthcheck").text == "OK"
        except httpx.TransportError:
            return False

    with fleet.process("--quiet", "flower"):
        wait_until(answers, "Flower's answer")
        yield ask


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "fleet.local"])
def test_a_name_that_leads_here_from_elsewhere_reads_nothing(fleet: Fleet, host: str) -> None:
    with flower(fleet) as ask:
        for path in ("/", "/broker", "/tasks", "/metrics", "/static/css/flower.css"):
            answer = ask(path, host=host)
            assert (answer.status_code, answer.content) == (421, b""), path
        for own in ("127.0.0.1", "localhost", "[::1]"):
            assert "Flower" in ask("/", host=own).text


def test_the_broker_page_lists_every_queue_even_before_a_worker_was_seen(fleet: Fleet) -> None:
    with flower(fleet) as ask:
        assert re.findall(r'<tr id="(\w+)">', ask("/broker").text) == ["delivery", "engines", "inbound"]


def test_no_page_shows_flower_in_a_frame_and_none_gives_orders(fleet: Fleet) -> None:
    with flower(fleet) as ask:
        answer = ask("/")
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
        assert ask("/api/workers").status_code == 401
        assert ask(SEND, "POST").status_code == 401
    assert fleet.queued("engines") == []


def test_with_a_login_nobody_else_reads_it_and_it_only_shows(fleet: Fleet) -> None:
    with flower(fleet, FLEET_FLOWER_LOGIN="fleet:let me in") as ask:
        assert ask("/").status_code == 401
        assert ask("/", auth=("fleet", "guess")).status_code == 401
        assert ask("/", auth=("fleet", "let me in")).status_code == 200
        assert ask(SEND, "POST", auth=("fleet", "let me in")).status_code == 403
    assert fleet.queued("engines") == []


def test_it_listens_on_this_machine_only_and_logs_as_all_do(fleet: Fleet) -> None:
    with flower(fleet, FLEET_LOG="json"):
        port = f":{int(fleet.environment['FLEET_FLOWER_PORT']):04X}"
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if " 0A " in line]
        assert [place for place in listening if place.endswith(port)] == [f"0100007F{port}"]
        assert port not in Path("/proc/net/tcp6").read_text()
    (log,) = fleet.home.glob("*/log")
    assert {json.loads(line)["logger"] for line in log.read_text().splitlines()} <= {
        "flower.inspector",
        "flower.command",
    }
