"""Files as people export them, in whatever country: what goes in is what they mean, and the report says how."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.crm import Crm
from tests.folders import TENANTS, load_folder, reasons, workbook
from workers.db.session import Connection
from workers.load import Hints, LoadReport

CLIENTS = "tenant,company_name,external_id\nNorthwind,Acme,C-1\n"


@pytest.fixture
def load(connection: Connection, tmp_path: Path) -> Any:
    """Write files into the folder and load it."""

    def load(options: dict[str, Any] | None = None, **files: str | bytes) -> LoadReport:
        return load_folder(connection, tmp_path / "csv", files, **options or {})

    return load


def test_a_german_sheet_goes_in_as_it_is(load: Any, crm: Crm) -> None:
    report = load(
        tenants=b"\xef\xbb\xbftenant;from_name\r\nNorthwind;Nora\r\n",
        clients="sep=;\r\ntenant;company_name;external_id\r\nNorthwind;Müller & Söhne;C-1\r\n".encode("windows-1252"),
        deals="tenant;external_id;title;stage;client;value;probability;expected_close_date;created_at;auto_follow_up\r\n"
        "Northwind;D-1;Zehn Lizenzen;Angebot;Müller & Söhne;1.234,50 €;40 %;31.03.2026;05.01.2026 14:30;WAHR\r\n"
        "Northwind;D-2;Wartung;Angebot;C-1;12.500,00 €;50;30.04.2026;46027;FALSCH\r\n".encode("windows-1252"),
    )
    assert report.problems == []
    assert report.notes == [
        'clients.csv: read as Windows-1252: "Müller"',
        'deals.csv: read as Windows-1252: "Müller"',
        "deals.csv: dates read as day.month.year: 31.03.2026 is 31 March 2026",
        "deals.csv: dates read as day numbers of a spreadsheet: 46027 is 5 January 2026",
        "deals.csv: numbers read with a decimal comma: 1.234,50 € is 1234.50",
        "deals.csv: amounts are kept without their currency, EUR",
    ]
    first, second = crm.rows(
        "SELECT value, probability, expected_close_date, deals.created_at, auto_follow_up_enabled AS follow_up,"
        " company_name"
        " FROM deals JOIN clients ON clients.id = client_id ORDER BY value"
    )
    assert first == {
        "value": Decimal("1234.50"), "probability": 40, "expected_close_date": date(2026, 3, 31), "follow_up": True,
        "created_at": datetime(2026, 1, 5, 14, 30, tzinfo=UTC), "company_name": "Müller & Söhne",
    }  # fmt: skip
    assert (second["value"], second["created_at"]) == (12500, datetime(2026, 1, 5, tzinfo=UTC))
    assert second["follow_up"] is False


def test_a_file_that_can_be_read_in_two_ways_goes_in_in_neither_and_stops_no_other(load: Any, crm: Crm) -> None:
    files = {
        "clients": CLIENTS,
        "deals": "tenant;external_id;title;stage;value\nNorthwind;D-1;Ten;lead;12.500\nNorthwind;D-2;Two;lead;80\n",
        "orders": "tenant,order_number,delivered_at\nNorthwind,O-1,02/03/2026\nNorthwind,O-2,01/02/2026\n",
    }
    report = load(tenants=TENANTS, **files)
    assert [(problem.file, problem.line) for problem in report.problems] == [("deals.csv", 1), ("orders.csv", 1)]
    assert all(
        option in problem.reason
        for option, problem in zip(("--decimal ,", "--dates dmy"), report.problems, strict=True)
    )
    assert "deals" not in report.tables
    assert crm.one("SELECT count(*) AS n FROM clients")["n"] == 1

    report = load({"hints": Hints(dates="dmy", decimal=",")})
    assert report.problems == []
    assert crm.rows("SELECT value FROM deals ORDER BY value") == [{"value": 80}, {"value": 12500}]
    assert crm.one("SELECT delivered_at AS at FROM orders WHERE order_number = 'O-1'")["at"].date() == date(2026, 3, 2)


def test_an_encoding_that_cannot_be_told_is_asked_for(load: Any, crm: Crm) -> None:
    clients = "tenant;company_name\nNorthwind;Łódź Sp. z o.o.\n".encode("windows-1250")
    ((_, reason),) = reasons(load(tenants=TENANTS, clients=clients))
    assert 'windows-1250 ("Łódź")' in reason
    assert reasons(load({"hints": Hints(encoding="windows-1250")})) == []
    assert crm.one("SELECT company_name AS name FROM clients")["name"] == "Łódź Sp. z o.o."


def test_unicode_text_of_excel_is_read(load: Any, crm: Crm) -> None:
    text = "tenant\tcompany_name\r\nNorthwind\tŁódź\r\n"
    report = load(tenants=TENANTS, **{"clients.txt": text.encode("utf-16")})
    assert (reasons(report), report.notes) == ([], ["clients.txt: read as UTF-16"])
    assert crm.one("SELECT company_name AS name FROM clients")["name"] == "Łódź"


def test_a_name_is_the_same_however_its_accents_are_composed(load: Any, crm: Crm) -> None:
    report = load(
        tenants=TENANTS,
        clients="tenant,company_name\nNorthwind,Mu\u0308ller\nNorthwind,Müller\n",
        contacts="tenant,email,client\nNorthwind,a@mueller.example,\u200eM\u00fcller\u00a0\n",
    )
    assert reasons(report) == []
    assert report.tables["clients"].unchanged == 1
    assert crm.one("SELECT company_name AS name FROM clients")["name"] == "M\u00fcller"
    assert crm.one("SELECT client_id IS NOT NULL AS known FROM contacts")["known"]


def test_a_date_in_a_free_column_stays_as_it_is_written(load: Any, crm: Crm) -> None:
    load(tenants=TENANTS, clients="tenant,company_name,insurance_valid_until\nNorthwind,Acme,31.12.2026\n")
    assert crm.one("SELECT attributes AS a FROM clients")["a"] == {"insurance_valid_until": "31.12.2026"}


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
def test_a_day_without_a_zone_is_the_tenants_day(load: Any, crm: Crm, zone: str) -> None:
    tenants = f"tenant,time_zone\nNorthwind,{zone}\n"
    orders = "tenant,order_number,delivered_at\nNorthwind,O-1,31.03.2026\nNorthwind,O-2,2026-03-31T23:30:00Z\n"
    deals = "tenant,external_id,title,stage,expected_close_date\nNorthwind,D-1,Ten,lead,2026-03-31T23:30:00Z\n"
    assert reasons(load(tenants=tenants, orders=orders)) == []
    delivered, instant = crm.rows("SELECT delivered_at AS at FROM orders ORDER BY order_number")
    assert delivered["at"] == datetime(2026, 3, 31, tzinfo=ZoneInfo(zone))
    assert instant["at"] == datetime(2026, 3, 31, 23, 30, tzinfo=UTC)

    load(deals=deals)  # the zone is the database's now
    assert (
        crm.one("SELECT expected_close_date AS day FROM deals")["day"]
        == instant["at"].astimezone(ZoneInfo(zone)).date()
    )


def test_a_header_may_hold_line_breaks_and_a_column_twice_that_means_nothing(load: Any, crm: Crm) -> None:
    report = load(tenants=TENANTS, clients='tenant,"company\nname",Note,Note\nNorthwind,Acme,one,two\n')
    assert reasons(report) == []
    assert crm.one("SELECT attributes AS a FROM clients")["a"] == {"note": "one", "note_2": "two"}


def test_a_workbook_is_read_sheet_by_sheet(load: Any, crm: Crm, tmp_path: Path) -> None:
    workbook(
        tmp_path / "csv" / "crm.xlsx",
        Tenants=[["tenant"], ["Northwind"]],
        Clients=[
            ["tenant", "company_name", "external_id", "insured_until"],
            ["Northwind", "Acme", 17, date(2026, 12, 31)],
        ],
        Deals=[
            ["tenant", "external_id", "title", "stage", "client", "value", "expected_close_date"],
            ["Northwind", 1, "Ten", "lead", 17, 1234.567, date(2026, 3, 31)],
            [],
            ["Northwind", 2, "Two", "lead", "Acme", "1.234,50", 46112],
            ["Northwind", 3, "#REF!", "lead", "Acme", 80, None],
            ["Northwind", 4, "Four", "lead", "Acme", 80, None, "surplus"],
            ["Northwind", 10**16, "Five", "lead", "Acme", 80, None],
        ],
        Notes=[["whatever", "people"], ["keep", "here"]],
    )
    report = load()
    assert [(problem.file, problem.line) for problem in report.problems] == [
        ("crm.xlsx/Deals", line) for line in (5, 6, 7)
    ]
    assert report.notes == [
        "crm.xlsx/Notes: not loaded, as neither its name nor its header is known: mapping.toml can say what it is",
        "crm.xlsx/Clients: other columns are kept as attributes: insured_until",
        "crm.xlsx/Deals: dates read as day numbers of a spreadsheet: 46112 is 31 March 2026",
        "crm.xlsx/Deals: numbers read with a decimal comma: 1.234,50 is 1234.50",
    ]
    assert crm.rows("SELECT title, value, expected_close_date AS close, client_id IS NOT NULL AS known FROM deals") == [
        {"title": "Ten", "value": Decimal("1234.57"), "close": date(2026, 3, 31), "known": True},
        {"title": "Two", "value": Decimal("1234.50"), "close": date(2026, 3, 31), "known": True},
    ]
    client = crm.one("SELECT attributes AS a FROM clients")["a"]
    assert client == {"external_id": "17", "insured_until": "2026-12-31"}


def test_an_address_is_taken_as_it_was_copied_from_a_mail_program(load: Any, crm: Crm) -> None:
    written = ("Ann Archer <ann@acme.example>", "mailto:bob@acme.example", '"cyd@acme.example; dan@acme.example"')
    contacts = "tenant;client;email\n" + "".join(f"Northwind;C-1;{address}\n" for address in written)
    for _ in range(2):
        report = load(tenants=TENANTS, clients=CLIENTS, contacts=contacts)
        assert [line for line, _ in reasons(report)] == [4]
    assert report.tables["contacts"].inserted == 0
    assert {row["email"] for row in crm.rows("SELECT email FROM contacts")} == {"ann@acme.example", "bob@acme.example"}


def test_a_workbook_that_is_none_is_one_problem(load: Any) -> None:
    report = load(tenants=TENANTS, **{"deals.xlsx": b"PK nothing of the kind", "old.xls": b""})
    assert reasons(report) == [(1, "this is no .xlsx workbook, or it is protected by a password")]
    assert report.notes == ["old.xls: not loaded, save it as .xlsx or CSV"]


def test_rows_that_are_marked_as_deleted_are_passed_over(load: Any, crm: Crm) -> None:
    report = load(
        tenants=TENANTS,
        clients="tenant,company_name,deleted\nNorthwind,Acme,no\nNorthwind,Gone,yes\nNorthwind,Bolt,\nNorthwind,X,perhaps\n",
    )
    assert reasons(report) == [(5, 'deleted "perhaps" is neither yes nor no')]
    assert report.notes == ["clients.csv: rows marked as deleted are passed over (1x)"]
    assert [row["name"] for row in crm.rows("SELECT company_name AS name FROM clients ORDER BY 1")] == ["Acme", "Bolt"]


def test_rows_without_a_tenant_belong_to_the_only_one_or_the_one_that_is_named(load: Any, crm: Crm) -> None:
    clients = {"clients": "company_name\nAcme\n"}
    report = load(tenants=TENANTS, **clients)
    assert report.notes == ["clients.csv: has no column tenant: its rows belong to Northwind"]

    report = load(tenants="tenant\nNorthwind\nSouthwind\n", **clients)
    assert reasons(report) == [(1, "there is no column tenant: add it, or say whose rows these are with --tenant")]
    assert reasons(load({"tenant": "southwind"})) == []
    owners = crm.rows("SELECT name FROM clients JOIN tenants ON tenants.id = tenant_id ORDER BY name")
    assert [row["name"] for row in owners] == ["Northwind", "Southwind"]


def test_a_dry_run_reports_what_would_happen_and_changes_nothing(load: Any, crm: Crm) -> None:
    files = {
        "clients": CLIENTS,
        "deals": "tenant,external_id,title,stage,client\nNorthwind,D-1,Ten,lead,C-1\n,,,,\nx,D-2,y,z,\n",
    }
    dry = load({"dry_run": True}, tenants=TENANTS, **files)
    assert crm.one("SELECT (SELECT count(*) FROM tenants) + (SELECT count(*) FROM deals) AS n")["n"] == 0
    assert dry.as_dict() == load().as_dict()
    assert dry.tables["deals"].inserted == 1
