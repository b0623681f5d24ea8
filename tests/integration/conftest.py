"""What several tests of real processes need."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.apollo import KEY, apollo_says
from tests.conftest import Servers
from tests.fleet import Fleet
from tests.mail import MailServer
from tests.provider_server import ProviderServer
from workers.providers import http
from workers.settings import settings


@pytest.fixture
def fleet(servers: Servers, database_url: str, tmp_path: Path, worker_id: str) -> Iterator[Fleet]:
    number = 1 + int(worker_id.removeprefix("gw")) % 15 if worker_id != "master" else 1
    fleet = Fleet(database_url, f"{servers.valkey}?virtual_host={number}", tmp_path / "fleet")
    with closing(fleet.redis), closing(fleet.client):
        yield fleet


@pytest.fixture
def apollo(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """An Apollo that the fleet's settings point to; nobody waits between quick tries."""
    monkeypatch.setattr(http, "_FIRST_PAUSE_SECONDS", 0.001)
    with ProviderServer(apollo_says) as server:
        monkeypatch.setenv("APOLLO_API_KEY", KEY)
        monkeypatch.setenv("APOLLO_URL", server.url)
        settings.cache_clear()
        yield server


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything, until a test tells it otherwise."""
    with MailServer() as server:
        yield server
