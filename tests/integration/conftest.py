"""What several tests of real processes need."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.apollo import KEY, apollo_says
from tests.conftest import Servers
from tests.console import signed_in
from tests.crm import Crm
from tests.fleet import Fleet
from tests.folders import TENANTS, load_folder
from tests.mail import MailServer
from tests.provider_server import ProviderServer
from tests.tokens import SECRET
from tests.web import served
from workers.db.session import Connection
from workers.load import LoadReport
from workers.providers import http
from workers.settings import settings
from workers.web.console import figures


@pytest.fixture(autouse=True)
def patient_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are counted while the reader waits, however busy the machine is."""
    monkeypatch.setattr(figures, "_QUICK", "2s")


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


@pytest.fixture
def load_export(connection: Connection, tmp_path: Path) -> Any:
    """Load what a CRM exported, into a tenant that is there; takes the files by name and the options of a load."""

    def load(files: dict[str, str | bytes], **options: Any) -> LoadReport:
        return load_folder(connection, tmp_path / "export", {"tenants.csv": TENANTS, **files}, **options)

    return load


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The pages and the API over the fresh database; users' tokens are those of tests/tokens.py."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("FLEET_JWT_SECRET", SECRET)
    settings.cache_clear()
    with served() as client:
        yield client


@pytest.fixture
def tenant(crm: Crm) -> UUID:
    return crm.tenant("Northwind")


@pytest.fixture
def manager(client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID) -> Iterator[httpx.Client]:
    """The tenant's manager at the console."""
    person = crm.profile(tenant, email="olive@northwind.example", role="admin")
    with signed_in(client, connection, person) as visitor:
        yield visitor
