"""If these fail, development tools reach production, or two installations of one release differ."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {path.name: path.read_text() for path in ROOT.glob("requirements*.lock")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", LOCKS[lock], re.MULTILINE))


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def test_production_installs_no_tool_of_development() -> None:
    tools = set().union(*(named(group) for group in GROUPS.values()))

    assert named(PROJECT["project"]["dependencies"]) <= pinned("requirements.lock").keys()
    assert pinned("requirements.lock").keys() & tools == set()


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_a_lock_that_agrees_with_productions(group: str) -> None:
    lock, production = pinned(f"requirements-{group}.lock"), pinned("requirements.lock")

    assert named(GROUPS[group]) <= {name.lower() for name in lock}
    assert {name: lock[name] for name in lock.keys() & production.keys()} == {
        name: production[name] for name in lock.keys() & production.keys()
    }


def test_the_build_backend_is_the_locked_one() -> None:
    assert GROUPS["build"] == PROJECT["build-system"]["requires"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_all_it_names_and_no_address(lock: str) -> None:
    assert "://" not in LOCKS[lock]
    entries = re.split(r"\n(?=\S)", LOCKS[lock].strip())
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
