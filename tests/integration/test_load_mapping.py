"""A mapping file lets any other export in, and says each of its mistakes in a line of its own."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.crm import Crm
from tests.folders import reasons, workbook
from workers.errors import FleetError
from workers.load.directory import COLUMNS
from workers.load.mapping import read_mappings

DEALS = (
    "SELECT title, value, expected_close_date AS close, company_name AS company FROM deals"
    " JOIN clients ON clients.id = client_id ORDER BY value"
)


def test_any_other_export_goes_in_with_a_mapping_file(load_export: Any, crm: Crm) -> None:
    report = load_export(
        {
            "Kunden-2026-03.csv": "Kundennr;Firma;Land;USt-Id\n17;Müller & Söhne;DE;DE123\n".encode("windows-1252"),
            "Chancen.csv": "Nr;Bezeichnung;Phase;Kunde;Wert;Ende;Neues Ende\n"
            "1;Zehn;Angebot;17;12.500;03/04/2026;04/04/2026\n"
            "2;Zwei;Angebot;17;980;05/04/2026;\n",
            "mapping.toml": """
                tenant = "Northwind"

                [files."kunden-*.csv"]
                table = "clients"
                columns = { company_name = "Firma", external_id = "Kundennr", country = "Land" }

                [files."Chancen.csv"]
                table = "deals"
                dates = "dmy"
                decimal = ","
                [files."Chancen.csv".columns]
                external_id = "Nr"
                title = "Bezeichnung"
                stage = "Phase"
                client = "Kunde"
                value = "Wert"
                expected_close_date = ["Neues Ende", "Ende"]
            """,
        }
    )
    assert reasons(report) == []
    assert [(row["title"], row["value"], row["close"], row["company"]) for row in crm.rows(DEALS)] == [
        ("Zwei", 980, date(2026, 4, 5), "Müller & Söhne"),
        ("Zehn", 12500, date(2026, 4, 4), "Müller & Söhne"),
    ]
    assert crm.one("SELECT attributes AS a FROM clients")["a"] == {"external_id": "17", "ust-id": "DE123"}
    assert "Chancen.csv: loaded as deals, as mapping.toml says" in report.notes


def test_a_sheet_of_a_workbook_may_be_mapped(load_export: Any, crm: Crm, tmp_path: Path) -> None:
    workbook(tmp_path / "export" / "crm.xlsx", Kunden=[["Firma", "Seit"], ["Acme", date(2020, 5, 1)]])
    mapping = '[files."CRM.xlsx/kunden"]\ntable = "clients"\ncolumns = { company_name = "Firma" }\n'
    assert reasons(load_export({"mapping.toml": mapping})) == []
    assert crm.rows("SELECT company_name AS name, attributes AS a FROM clients") == [
        {"name": "Acme", "a": {"seit": "2020-05-01"}}
    ]


@pytest.mark.parametrize(
    ("mapping", "mistakes"),
    [
        ("files = [", ["Invalid value (at end of document)"]),
        ('tenannt = "x"', ['"tenannt" means nothing here; did you mean tenant?']),
        ("tenant = 5", ['tenant is a text, written as tenant = "…"']),
        ("files = 5", ['each file is described under its name: [files."customers.csv"]']),
        (
            '[files."a.csv"]\ntable = "client"\ndates = "dym"\nencoding = "utf-9"\npaint = 1',
            [
                'files."a.csv": "paint" means nothing here: it can be table, columns, dates, decimal, encoding',
                'files."a.csv": there is no table "client"; did you mean clients?',
                "files.\"a.csv\": dates 'dym' is none of dmy, mdy, ymd",
                "files.\"a.csv\": encoding 'utf-9' is no encoding such as windows-1250 or mac-roman",
            ],
        ),
        (
            '[files."a"]\ncolumns = "x"',
            [
                'files."a": table is missing: it is one of tenants, profiles, clients, contacts, deals, orders, quotes',
                'files."a": columns are written as company_name = "Customer"',
            ],
        ),
        (
            '[files."b.csv"]\ntable = "orders"\ncolumns = { order_numbr = "Nr", client = 5 }',
            [
                'files."b.csv": there is no column "order_numbr"; did you mean order_number?',
                'files."b.csv": client must be the name of a column of the file, or a list of names',
            ],
        ),
    ],
)  # fmt: skip
def test_each_mistake_of_a_mapping_file_is_one_line(tmp_path: Path, mapping: str, mistakes: list[str]) -> None:
    (tmp_path / "mapping.toml").write_text(mapping)
    with pytest.raises(FleetError) as refused:
        read_mappings(tmp_path / "mapping.toml", COLUMNS)
    assert str(refused.value).splitlines() == [f"mapping.toml: {mistake}" for mistake in mistakes]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ('company_name = "Frima"', "mapping.toml names the column frima, but the header has only firma, land"),
        ('country = "Land"', "there is no column company_name, and mapping.toml names none"),
    ],
)
def test_a_mapping_that_does_not_fit_its_file_costs_that_file(load_export: Any, columns: str, reason: str) -> None:
    mapping = f'[files."Kunden.csv"]\ntable = "clients"\ncolumns = {{ {columns} }}\n'
    report = load_export({"Kunden.csv": "Firma;Land\nAcme;DE\n", "mapping.toml": mapping})
    assert reasons(report) == [(1, reason)]


def test_a_mapping_for_a_file_that_is_not_there_is_noted(load_export: Any) -> None:
    report = load_export({"mapping.toml": '[files."Kundn.csv"]\ntable = "clients"\n'})
    assert report.notes == ['mapping.toml speaks of "Kundn.csv", and no file is called so']
