"""If these fail, a newcomer can no longer find a thing where its name says, or hold a file in the head."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_foreign_text import commands
from workers.engines.registry import all_engines

ROOT = Path(__file__).parents[2]
LONGEST = 400
SOURCES = (".py", ".sql", ".j2", ".md", ".toml", ".yml", ".yaml")
# Where the code that serves every engine alike lives: what it does for one, that engine's own files say.
SHARED = ("core", "engines", "ledger", "outbox", "inbound", "status", "decisions", "explain", "runs")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_is_longer_than_a_person_reads_in_one_go() -> None:
    written = [path for path in tracked() if path.suffix in SOURCES and "data" not in path.parts]
    assert len(written) > 200
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("file", SHARED)
def test_what_serves_all_engines_alike_names_none_of_them(file: str) -> None:
    text = (ROOT / "schema" / "functions" / f"{file}.sql").read_text()
    code = re.sub(r"--.*", "", text)
    words = {
        word for engine in all_engines().values() for word in (engine.name, engine.subject_type, *engine.templates)
    }
    assert sorted(word for word in words if re.search(rf"'{word}\b", code)) == []


@pytest.mark.parametrize("engine", sorted(all_engines()))
def test_an_engine_is_found_by_its_name_in_python_in_sql_and_in_the_docs(engine: str) -> None:
    for folder, ending in (("workers/engines", "py"), ("schema/engines", "sql"), ("docs/engines", "md")):
        room = ROOT / folder / engine
        assert room.is_dir() or room.with_suffix(f".{ending}").is_file(), f"{folder}/{engine}"


def test_the_contact_to_write_to_and_the_stages_that_wait_are_found_in_one_place_each() -> None:
    sql = "".join(path.read_text() for path in (ROOT / "schema" / "engines").rglob("*.sql"))
    assert "is_primary AND" not in sql, "reachable_contact() in core.sql decides whom to write to"
    assert sql.count("ORDER BY d.stage LIMIT 1") == 2, "one loose scan: its start and its step"


@pytest.mark.parametrize("page", [path for path in tracked() if path.suffix == ".md"], ids=lambda path: path.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_command_does_not_wait_half_a_second_for_what_migrations_alone_need() -> None:
    loaded = "import sys, workers.cli, beat_schedule; print('alembic' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True)
    assert asked.stdout == "False\n"


def test_each_guarantee_names_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "explanation" / "guarantees.md").read_text()
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    promises = page.partition("## Faults")[0].splitlines()
    rows = [line for line in promises if line.startswith("| ") and not line.startswith("| it holds")]
    assert len(rows) > 20
    assert [row for row in rows if "test_" not in row] == []
    assert [name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in written] == []


def test_every_command_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert [
        command for command in commands() if f"`fleet {command}" not in page and f"## fleet {command}" not in page
    ] == []
