"""If this fails, a fleet that is cut off in the middle of its work does other things than one that is left alone."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from tests.databases import copy_of
from tests.year.course import BEGIN, Course, prepare

DAYS = timedelta(days=10)
EVERY = 40  # of the opportunities; `make year` has them all, and the whole year


@pytest.fixture
def few(crm_sales: Path, tmp_path: Path) -> Path:
    """A folder with some of the opportunities, and all that they refer to."""
    for name in ("accounts.csv", "products.csv", "sales_teams.csv"):
        (tmp_path / name).write_bytes((crm_sales / name).read_bytes())
    head, *opportunities = (crm_sales / "sales_pipeline.csv").read_text().splitlines(keepends=True)
    (tmp_path / "sales_pipeline.csv").write_text("".join([head, *opportunities[::EVERY]]))
    return tmp_path


@pytest.mark.crm_sales
def test_the_fleet_does_the_same_however_often_its_runs_are_cut_and_resumed(database_url: str, few: Path) -> None:
    prepare(database_url, few)
    with copy_of(database_url) as undisturbed, Course(undisturbed) as whole:
        whole.pass_days(BEGIN, BEGIN + DAYS)
        expected = whole.outcome()
    with Course(database_url, random.Random("2017")) as cut:  # noqa: S311  # to be repeated
        cut.pass_days(BEGIN, BEGIN + DAYS)
        assert cut.outcome() == expected
    assert len(whole.letters) > 10
    assert cut.cuts > 10
    assert len(cut.letters) == len(whole.letters) == whole.letters.total() < cut.letters.total()
