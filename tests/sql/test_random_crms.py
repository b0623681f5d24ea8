"""If this fails, there is a CRM that the fleet leaves other than it found it."""

import uuid
from contextlib import suppress

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from tests.conftest import Servers
from tests.sql.random_crm import RandomCrm, random_crms
from tests.sql.test_migrations import dump
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.session import connect
from workers.errors import UnfitDatabaseError
from workers.settings import settings


# Each is a database that is migrated and rolled back.
@pytest.mark.fuzz
@hypothesis_settings(
    max_examples=hypothesis_settings().max_examples // 12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(crm=random_crms())
def test_beside_any_crm_it_works_or_refuses_and_leaves_what_it_found(servers: Servers, crm: RandomCrm) -> None:
    name = f"random_{uuid.uuid4().hex}"
    with pytest.MonkeyPatch.context() as monkeypatch, psycopg.connect(servers.postgres, autocommit=True) as admin:
        monkeypatch.setenv("FLEET_NAIVE_ZONE", crm.zone)
        settings.cache_clear()
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = servers.postgres.replace("/postgres?", f"/{name}?")
        try:
            with connect(url) as connection:
                for statement in crm.statements:
                    with suppress(psycopg.Error):
                        connection.execute(statement.encode())
            before = dump(url)
            try:
                migrate(url)
            except UnfitDatabaseError:
                assert dump(url) == before
                return
            with connect(url) as connection:
                assert check.missing(connection) == []
            rollback(url)
            assert dump(url) == before
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
