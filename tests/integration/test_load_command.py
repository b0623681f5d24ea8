"""`fleet load` as an operator calls it: what it would do, how it read the files, and which option decides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.crm import Crm
from tests.folders import TENANTS, write
from workers.cli import app
from workers.errors import FleetError
from workers.settings import settings


@pytest.fixture(autouse=True)
def _here(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deals = "external_id;title;stage;value;created_at\nD-1;Łódź;lead;12.500;03/02/2026\n".encode("windows-1250")
    return write(tmp_path / "csv", {"tenants": TENANTS, "deals": deals})


def load(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["load", str(folder), *options])


def test_each_refusal_names_the_option_that_ends_it(folder: Path, crm: Crm) -> None:
    options: list[str] = []
    for option in (["--encoding", "windows-1250"], ["--dates", "dmy"], ["--decimal", ","]):
        result = load(folder, *options)
        assert result.exit_code == 1
        assert option[0] in result.output
        options += option
    result = load(folder, *options)
    assert result.exit_code == 0, result.output
    assert "deals.csv: dates read as day/month/year: 03/02/2026 is 3 February 2026" in result.output
    assert crm.one("SELECT title, value FROM deals") == {"title": "Łódź", "value": 12500}


def test_a_dry_run_says_so_and_changes_nothing(folder: Path, crm: Crm) -> None:
    write(folder, {"deals": "external_id,title,stage\nD-1,Ten,lead\n"})
    result = load(folder, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Dry run: nothing was changed" in result.output
    assert "deals.csv: has no column tenant: its rows belong to Northwind" in result.output
    assert crm.one("SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM deals) AS n")["n"] == 0


def test_a_mapping_file_may_lie_anywhere(folder: Path, tmp_path: Path, crm: Crm) -> None:
    write(folder, {"deals": "Nr,Titel,stage\nD-1,Ten,lead\n"})
    mapping = tmp_path / "ours.toml"
    mapping.write_text('[files."deals.csv"]\ntable = "deals"\ncolumns = { external_id = "Nr", title = "Titel" }\n')
    result = load(folder, "--mapping", str(mapping))
    assert result.exit_code == 0, result.output
    assert crm.one("SELECT title FROM deals")["title"] == "Ten"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dates", "german"], "--dates 'german' is none of dmy, mdy, ymd"),
        (["--tenant", "Nobody"], 'there is no tenant "Nobody"'),
        (["--mapping", "missing.toml"], "cannot read missing.toml"),
    ],
)
def test_a_mistake_in_an_option_is_named(folder: Path, options: list[str], message: str) -> None:
    result = load(folder, *options)
    assert isinstance(result.exception, FleetError)
    assert message in str(result.exception)
