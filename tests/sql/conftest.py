"""What several tests of the schema need."""

from pathlib import Path

import pytest

from tests.crm import Crm
from tests.sql.test_rls import Company, company
from workers.db.session import connect


@pytest.fixture
def supabase(empty_database: str) -> str:
    """The URL of a database in which a CRM lives already."""
    with connect(empty_database) as connection:
        connection.execute(Path(__file__).with_name("supabase.sql").read_bytes())
    return empty_database


@pytest.fixture
def ours(crm: Crm) -> Company:
    return company(crm, "ours")


@pytest.fixture
def theirs(crm: Crm) -> Company:
    return company(crm, "theirs")
