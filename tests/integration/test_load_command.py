"""`fleet load` as an operator calls it: what it would do, how it read the files, and which option decides."""

import json
from pathlib import Path

import pytest

from tests.crm import Crm
from tests.folders import TENANTS, write
from tests.shell import fleet, one_line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deals = "external_id;title;stage;value;created_at\nD-1;Łódź;lead;12.500;03/02/2026\n".encode("windows-1250")
    return write(tmp_path / "csv", {"tenants": TENANTS, "deals": deals})


def test_each_refusal_names_the_option_that_ends_it(database_url: str, folder: Path, crm: Crm) -> None:
    options: list[str] = []
    for option in (["--encoding", "windows-1250"], ["--dates", "dmy"], ["--decimal", ","]):
        result = fleet(database_url, "load", str(folder), *options)
        assert result.returncode == 1, result
        assert option[0] in result.stdout
        options += option
    result = fleet(database_url, "load", str(folder), *options)
    assert result.returncode == 0, result
    assert "deals.csv: dates read as day/month/year: 03/02/2026 is 3 February 2026" in result.stdout
    assert crm.one("SELECT title, value FROM deals") == {"title": "Łódź", "value": 12500}


def test_a_dry_run_says_so_and_changes_nothing(database_url: str, folder: Path, crm: Crm) -> None:
    write(folder, {"deals": "external_id,title,stage\nD-1,Ten,lead\n"})
    result = fleet(database_url, "load", str(folder), "--dry-run")
    assert result.returncode == 0, result
    assert "Dry run: nothing was changed" in result.stdout
    assert "deals.csv: has no column tenant: its rows belong to Northwind" in result.stdout
    report = json.loads(fleet(database_url, "load", str(folder), "--dry-run", "--json").stdout)
    assert (report["dry_run"], report["tables"]["deals"]["inserted"]) == (True, 1)
    assert crm.one("SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM deals) AS n")["n"] == 0


def test_a_mapping_file_may_lie_anywhere(database_url: str, folder: Path, crm: Crm) -> None:
    write(folder, {"deals": "Nr,Titel,stage\nD-1,Ten,lead\n"})
    mapping = folder.parent / "ours.toml"
    mapping.write_text('[files."deals.csv"]\ntable = "deals"\ncolumns = { external_id = "Nr", title = "Titel" }\n')
    result = fleet(database_url, "load", str(folder), "--mapping", str(mapping))
    assert result.returncode == 0, result
    assert crm.one("SELECT title FROM deals")["title"] == "Ten"


def test_each_mistake_of_a_mapping_file_is_a_line_and_nothing_is_loaded(
    database_url: str, folder: Path, crm: Crm
) -> None:
    write(folder, {"mapping.toml": '[files."deals.csv"]\ntable = "deal"\ndates = "german"\n'})
    result = fleet(database_url, "load", str(folder))
    assert result.returncode == 2, result
    assert result.stderr.splitlines() == [
        'fleet: mapping.toml: files."deals.csv": there is no table "deal"; did you mean deals?',
        "mapping.toml: files.\"deals.csv\": dates 'german' is none of dmy, mdy, ymd",
    ]
    assert crm.one("SELECT count(*) AS n FROM tenants")["n"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dates", "german"], "--dates 'german' is none of dmy, mdy, ymd"),
        (["--tenant", "Nobody"], 'there is no tenant "Nobody"'),
        (["--mapping", "missing.toml"], "cannot read missing.toml"),
    ],
)
def test_a_mistake_in_an_option_is_one_line(database_url: str, folder: Path, options: list[str], message: str) -> None:
    assert message in one_line(fleet(database_url, "load", str(folder), *options))
