"""If these fail, a file that nobody meant to be loaded ends the load of all the others with a traceback."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.folders import workbook
from workers.load import Hints
from workers.load.layout import Layout
from workers.load.row import FileError, Row, RowError
from workers.load.table import Place, Table

COLUMNS = frozenset({"tenant", "created_at", "value", "probability", "status"})
READERS: list[Callable[[Row], object]] = [
    lambda row: row.instant("created_at"),
    lambda row: row.day("created_at"),
    lambda row: row.short_day("created_at"),
    lambda row: row.amount("value", below=10),
    lambda row: row.integer("probability", range(9)),
    lambda row: row.flag("status", default=False),
    lambda row: row.choice("status", ("a",)),
    lambda row: row.address("tenant"),
    lambda row: row.required("value"),
]
HEADERS = [
    b"",
    b"tenant,created_at,value,status\n",
    b"\xef\xbb\xbftenant;created_at;probability\r\n",
    "sep=|\ntenant|value|status\n".encode("utf-16"),
]
VALUES = [
    "1",
    "-1",
    "9" * 30,
    "1e9",
    "2026-03-31",
    "2026-03-31T00:00:00+23:59",
    "0001-01-01",
    "31-12-17",
    "03/04/2026 2:30 PM",
    "46112,5",
    "1.234,50 €",
    "12.500",
    "50 %",
    "a@b.c",
    "yes",
]


@pytest.mark.fuzz
@given(
    st.sampled_from(HEADERS),
    st.binary(max_size=300)
    | st.lists(st.sampled_from([*VALUES, *',;"\n\r\t| aÄ\x00٣'])).map(lambda v: "".join(v).encode()),
)
def test_whatever_a_file_holds_is_a_row_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, content: bytes
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(header + content)
    read(Place(path, path.name))


@pytest.fixture(scope="module")
def sound_workbook(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    rows: list[list[Any]] = [["tenant", "created_at", "value"], ["Acme", date(2026, 3, 31), 12.5]]
    return workbook(tmp_path_factory.mktemp("sound") / "deals.xlsx", Deals=rows).read_bytes()


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), max_size=20), st.floats(0, 1) | st.just(1.0))
def test_whatever_becomes_of_a_workbook_is_a_row_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, sound_workbook: bytes, changes: list[tuple[float, int]], kept: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.xlsx"
    content = bytearray(sound_workbook)
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path.write_bytes(content[: int(kept * len(content))])
    read(Place(path, path.name, "Deals"))


def read(place: Place) -> None:
    """Read a file as a load would."""
    with suppress(FileError), place.open(COLUMNS, None) as source:
        for item in Table(source, Layout("deals"), COLUMNS, Hints()):
            if not isinstance(item, Row):
                assert item.reason
                continue
            for reader in READERS:
                with suppress(RowError):
                    reader(item)
