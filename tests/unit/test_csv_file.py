"""If this fails, a file that nobody meant to be CSV ends the load of all the others with a traceback."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.load.csv_file import CsvFile, FileError, Row, RowError

READERS: list[Callable[[Row], object]] = [
    lambda row: row.instant("when"),
    lambda row: row.day("when"),
    lambda row: row.short_day("when"),
    lambda row: row.amount("many", below=10),
    lambda row: row.integer("many", range(9)),
    lambda row: row.flag("yes", default=False),
    lambda row: row.choice("yes", ("a",)),
    lambda row: row.address("tenant"),
    lambda row: row.required("many"),
]
HEADERS = [b"", b"tenant,when,many,yes\n", b"\xef\xbb\xbftenant;when;many\r\n"]
VALUES = [
    "1",
    "-1",
    "9" * 30,
    "1e9",
    "2026-03-31",
    "2026-03-31T00:00:00+23:59",
    "0001-01-01",
    "31-12-17",
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
    try:
        file = CsvFile(path, ("tenant",), ("when", "many", "yes"))
    except FileError:
        return
    with file:
        for item in file:
            if not isinstance(item, Row):
                assert item.reason
                continue
            for read in READERS:
                with suppress(RowError):
                    read(item)
