"""What several tests of real processes need."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.fleet import Fleet


@pytest.fixture
def fleet(servers: Servers, database_url: str, tmp_path: Path, worker_id: str) -> Iterator[Fleet]:
    number = 1 + int(worker_id.removeprefix("gw")) % 15 if worker_id != "master" else 1
    fleet = Fleet(database_url, f"{servers.valkey.rpartition('/')[0]}/{number}", tmp_path / "fleet")
    with closing(fleet.redis), closing(fleet.client):
        yield fleet
