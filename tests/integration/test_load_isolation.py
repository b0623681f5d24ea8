"""If these fail, one hostile row or file keeps a whole folder from going in, or fills the machine."""

import os
import random
import resource
import string
import time
from pathlib import Path

import pytest

from tests.crm import Crm
from workers.db.session import Connection
from workers.load import LoadReport, Problem, job, load_directory, plain_file
from workers.load.csv_file import CsvFile
from workers.load.row import FileError

TENANTS = "tenant\nNorthwind\nSouthwind\n"
HEADER = "tenant,email,external_id,first_name,is_primary\n"
# Without pattern, so that an index entry cannot be made shorter than it may be.
NOISE = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=100_000))  # noqa: S311  # no secret
HOSTILE = {
    "an endless line": b"Northwind,ann@acme.example,X," + b"a" * 3_000_000 + b",yes\n",
    "an endless field": b"Northwind,ann@acme.example,X," + b"a" * 200_000 + b",yes\n",
    "an open quote": b'Northwind,"ann@acme.example,X,Ann,yes\n',
    "an open quote before all the rest": b'Northwind,ann@acme.example,X,"' + b"a," * 400_000 + b"\n",
    "a hundred thousand fields": b"Northwind" + b"," * 100_000 + b"\n",
    "bytes that are no text": b"Northwind,ann@acme.example,X,\xff\xfe\x80,yes\n",
    "a NUL byte": b"Northwind,ann@acme.example,X,A\x00nn,yes\n",
    "an address of dots": b"Northwind,a@" + b"." * 100_000 + b"@,X,Ann,yes\n",
    "a tenant of another's making": b"Eastwind,ann@acme.example,X,Ann,yes\n",
    "neither yes nor no": b"Northwind,ann@acme.example,X,Ann," + b"9" * 50_000 + b"\n",
}


def load(connection: Connection, folder: Path, **files: str | bytes) -> LoadReport:
    for name, content in files.items():
        (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_directory(connection, folder)


def harmless(number: int) -> list[bytes]:
    names = ("Northwind", "Southwind")
    return [f"{names[n % 2]},c{n}@acme.example,C-{n},Ann,no\n".encode() for n in range(number)]


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_row_is_named_and_the_hundred_of_two_tenants_go_in(
    connection: Connection, crm: Crm, tmp_path: Path, line: bytes
) -> None:
    rows = harmless(100)
    content = HEADER.encode() + b"".join([*rows[:40], line, *rows[40:]])
    began = time.process_time()

    report = load(connection, tmp_path, tenants=TENANTS, contacts=content)

    assert time.process_time() - began < 5
    assert [(problem.file, problem.line) for problem in report.problems] == [("contacts.csv", 42)]
    assert report.problems[0].reason
    assert len(report.problems[0].reason) < 300
    assert crm.one("SELECT count(*) AS n, count(DISTINCT tenant_id) AS of FROM contacts") == {"n": 100, "of": 2}


def test_a_row_that_no_index_can_hold_is_named_and_the_hundred_go_in(
    connection: Connection, crm: Crm, tmp_path: Path
) -> None:
    rows = [f"{tenant},Q-{n},100\n" for n in range(50) for tenant in ("Northwind", "Southwind")]
    rows.insert(40, f"Northwind,{NOISE},100\n")

    report = load(connection, tmp_path, tenants=TENANTS, quotes="tenant,quote_number,total_amount\n" + "".join(rows))

    assert [problem.line for problem in report.problems] == [42]
    assert "the database refuses the row" in report.problems[0].reason
    assert crm.one("SELECT count(*) AS n FROM quotes")["n"] == 100


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/full", "pipe", "folder"])
def test_what_never_ends_is_not_read_and_stops_no_other(
    connection: Connection, crm: Crm, tmp_path: Path, target: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "clients.csv").symlink_to(tmp_path / target)

    report = load(connection, tmp_path, tenants=TENANTS)

    assert report.problems == [Problem("clients.csv", 1, "it is no plain file")]
    assert crm.one("SELECT count(*) AS n FROM tenants")["n"] == 2


def test_a_link_to_a_file_is_read(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "export-2026").write_text(TENANTS)
    (tmp_path / "tenants.csv").symlink_to("export-2026")

    assert load(connection, tmp_path).tables["tenants"].inserted == 2


def test_a_file_too_large_to_be_meant_is_refused_unread(connection: Connection, tmp_path: Path) -> None:
    with (tmp_path / "clients.csv").open("wb") as file:
        file.truncate(plain_file.LARGEST + 1)  # takes no room on the disk

    (problem,) = load(connection, tmp_path).problems
    assert "the file has more than 1,000,000,000 bytes" in problem.reason


@pytest.mark.parametrize("header", ["a," * 1000, "a" * 1_000_001, ",".join(f"c{n}" for n in range(100_000))])
def test_a_header_too_long_to_be_meant_is_refused_at_once(tmp_path: Path, header: str) -> None:
    (tmp_path / "clients.csv").write_text(f"{header},tenant,company_name\nAcme\n")
    began = time.process_time()

    with pytest.raises(FileError, match="more than"):
        CsvFile(tmp_path / "clients.csv", {"tenant", "company_name"})
    assert time.process_time() - began < 2


def test_long_rows_are_written_in_portions_that_fit(connection: Connection, crm: Crm, tmp_path: Path) -> None:
    text = "a" * 100_000
    rows = "".join(f"Northwind,D-{n},Deal,lead,{text}\n" for n in range(500))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    report = load(connection, tmp_path, tenants=TENANTS, deals=f"tenant,external_id,title,stage,description\n{rows}")

    assert report.tables["deals"].inserted == 500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes; the file has 50 MB


def test_a_file_of_nothing_but_mistakes_is_given_up(connection: Connection, tmp_path: Path) -> None:
    report = load(connection, tmp_path, tenants=TENANTS, clients="tenant,company_name\n" + "Northwind\n" * 50_000)

    assert len(report.problems) == job._MOST_PROBLEMS + 1
    assert "the rest of the file was not read" in report.problems[-1].reason
