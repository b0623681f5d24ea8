"""CSV folders as people have them: what is good goes in, what is not is named, and twice is once."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.crm import NOW, Crm
from tests.folders import load_folder, reasons
from workers.db.session import Connection
from workers.errors import FleetError
from workers.load import LoadReport, Problem, load_directory

CLEAN = {
    "tenants.csv": "tenant,time_zone,from_name,from_address\nNorthwind,Europe/Berlin,Nora,nora@northwind.example\n",
    "profiles.csv": "tenant,email,full_name,role\nNorthwind,olive@northwind.example,Olive Owner,sales\n",
    "clients.csv": (
        "tenant,company_name,external_id,owner,industry,country,status,vat_id\n"
        "Northwind,Acme,C-1,olive@northwind.example,retail,DE,active,DE123\n"
        "Northwind,Bolt & Co,C-2,,,,,\n"
    ),
    "contacts.csv": (
        "tenant,email,client,first_name,last_name,title,phone\n"
        "Northwind,ann@acme.example,C-1,Ann,Archer,CTO,+49 30 1\n"
        "Northwind,abe@acme.example,Acme,Abe,Adams,,\n"
        "Northwind,bea@bolt.example,bolt & co,Bea,Bell,,\n"
    ),
    "deals.csv": (
        "tenant,external_id,title,stage,client,contact,owner,value,probability,expected_close_date,"
        "created_at,last_activity_at,closed_at\n"
        "Northwind,D-1,Ten licences,Proposal,Acme,ann@acme.example,olive@northwind.example,"
        "1200.50,40,2026-04-01,2026-01-05,2026-02-01T08:30:00+01:00,\n"
        "Northwind,D-2,Repair,won,C-2,,,80,,,2026-01-01,,2026-01-11\n"
        "Northwind,D-3,No dates,lead,,,,,,,,,\n"
    ),
    "orders.csv": (
        "tenant,order_number,client,contact,delivered_at\n"
        "Northwind,O-1,C-1,abe@acme.example,2026-02-20\nNorthwind,O-2,C-2,,\n"
    ),
    "quotes.csv": (
        "tenant,quote_number,title,client,deal,status,total_amount,valid_until,sent_at,responded_at\n"
        "Northwind,Q-7,Ten licences,C-1,D-1,sent,1200.50,2026-04-01,2026-02-25,\n"
        "Northwind,Q-8,Repair,C-2,D-2,accepted,80,,2026-01-02,2026-01-11\n"
    ),
}
BERLIN = ZoneInfo("Europe/Berlin")
TABLES = (
    "tenants", "tenant_delivery", "profiles", "clients", "contacts", "deals", "deal_stage_history", "orders",
    "feedback_requests", "quotes", "quote_outcomes", "quote_activities",
)  # fmt: skip


@pytest.fixture
def load(connection: Connection, tmp_path: Path) -> Any:
    """Write files into the folder and load it."""

    def load(**files: str | bytes) -> LoadReport:
        return load_folder(connection, tmp_path / "csv", files)

    return load


def clean(*tables: str) -> dict[str, str | bytes]:
    return {table: CLEAN[f"{table}.csv"] for table in tables}


def contents(crm: Crm) -> dict[str, list[str]]:
    rows = {table: crm.rows(f"SELECT to_jsonb(t) AS row FROM {table} AS t") for table in TABLES}  # noqa: S608  # constants
    return {table: sorted(str(row["row"]) for row in rows[table]) for table in TABLES}


def test_a_clean_folder_goes_in_with_every_reference(load: Any, crm: Crm) -> None:
    report = load(**{name.removesuffix(".csv"): text for name, text in CLEAN.items()})

    assert report.problems == []
    assert report.notes == ["clients.csv: other columns are kept as attributes: vat_id"]
    ann = crm.one("SELECT * FROM contacts WHERE email = 'ann@acme.example'")
    acme = crm.one("SELECT * FROM clients WHERE company_name = 'Acme'")
    olive = crm.one("SELECT * FROM profiles")
    assert acme["attributes"] == {"vat_id": "DE123", "external_id": "C-1"}
    assert (acme["owner_id"], ann["client_id"], ann["title"]) == (olive["id"], acme["id"], "CTO")

    deal = crm.one("SELECT * FROM deals WHERE title = 'Ten licences'")
    assert (deal["client_id"], deal["contact_id"], deal["owner_id"]) == (acme["id"], ann["id"], olive["id"])
    assert (deal["stage"], deal["value"], deal["probability"]) == ("proposal", Decimal("1200.50"), 40)
    assert deal["expected_close_date"] == date(2026, 4, 1)
    assert deal["created_at"] == datetime(2026, 1, 5, tzinfo=BERLIN)
    sent = crm.one("SELECT sent_at FROM quotes WHERE deal_id = %s", deal["id"])["sent_at"]
    assert deal["last_activity_at"] == sent, "that its quote was sent is activity, and came after 1 February"
    assert crm.one("SELECT last_activity_at AS at FROM deals WHERE title = 'No dates'")["at"] == NOW

    won = crm.one("SELECT * FROM deal_stage_history")
    assert (won["from_stage"], won["to_stage"], won["days_in_previous_stage"]) == (None, "won", 10)
    assert won["changed_at"] == datetime(2026, 1, 11, tzinfo=BERLIN)
    request = crm.one("SELECT * FROM feedback_requests")
    assert request["scheduled_for"] == datetime(2026, 2, 27, tzinfo=BERLIN)
    quote = crm.one("SELECT * FROM quotes WHERE quote_number = 'Q-7'")
    assert quote["deal_id"] == deal["id"]
    assert quote["next_follow_up_at"] == datetime(2026, 2, 28, tzinfo=BERLIN)
    outcome = crm.one("SELECT * FROM quote_outcomes")
    assert (outcome["outcome"], outcome["recorded_at"]) == ("won", datetime(2026, 1, 11, tzinfo=BERLIN))
    delivery = crm.one("SELECT time_zone, from_address FROM tenant_delivery")
    assert (delivery["time_zone"], delivery["from_address"]) == ("Europe/Berlin", "nora@northwind.example")


def test_loading_again_changes_nothing_not_even_what_people_changed_since(load: Any, crm: Crm) -> None:
    load(**{name.removesuffix(".csv"): text for name, text in CLEAN.items()})
    crm.execute("UPDATE deals SET stage = 'negotiation' WHERE title = 'Ten licences'")
    crm.execute("UPDATE clients SET company_name = 'Acme Holding' WHERE company_name = 'Acme'")
    before = contents(crm)

    again = load()

    # deals.csv still says "Acme": a row goes on answering to the key it was loaded by.
    assert reasons(again) == []
    assert all(counts.inserted == 0 and counts.unchanged == counts.read for counts in again.tables.values())
    assert contents(crm) == before


def test_one_bad_row_never_loses_the_file(load: Any, crm: Crm) -> None:
    report = load(
        **clean("tenants", "profiles", "clients"),
        deals="tenant,external_id,title,stage,client,owner,value,probability,last_activity_at,closed_at\n"
        "Northwind,D-1,good,lead,Acme,,10,50,2026-02-01,\n"
        "Northwind,,no key,lead,,,,,,\n"
        "Northwind,D-3,bad date,lead,,,,,31.02.2026,\n"
        "Northwind,D-4,bad number,lead,,,ten,,,\n"
        "Northwind,D-5,bad percentage,lead,,,,150,,\n"
        "Southwind,D-6,unknown tenant,lead,,,,,,\n"
        "Northwind,D-7,unknown client,lead,Acmee,,,,,\n"
        "Northwind,D-8,unknown owner,lead,,x@y.example,,,,\n"
        "Northwind,D-9,too few\n"
        "Northwind,D-11,one too many,lead,,,,,,,surplus\n"
        "Northwind,D-1,other,lead,Acme,,10,50,2026-02-01,\n"
        "Northwind,D-1,good,lead,Acme,,10,50,2026-02-01,\n"
        "Northwind,D-14,closed but open,lead,,,,,,2026-01-01\n"
        "Northwind,D-15,too far,lead,,,,,9999-01-01,\n"
        "Northwind,D-16,negative,lead,,,-5,,,\n"
        "Northwind,D-17,also good,lead,,,,,,\n",
    )

    assert reasons(report) == [
        (3, "external_id is missing"),
        (4, 'last_activity_at "31.02.2026" is not a date like 2026-03-31 or 31.03.2026'),
        (5, 'value "ten" is not a number like 1234.50'),
        (6, 'probability "150" is not a whole number from 0 to 100'),
        (7, 'there is no tenant "Southwind"'),
        (8, 'there is no client "Acmee"'),
        (9, 'there is no profile "x@y.example"'),
        (10, "the line has 3 fields, the header 10"),
        (11, "the line has 11 fields, the header 10"),
        (12, "D-1 stands in deals.csv:2 already, with other values"),
        (14, 'closed_at is given, but the stage is "lead"'),
        (15, 'last_activity_at "9999-01-01" lies outside 1900 to 2200'),
        (16, 'value "-5" must be at least 0 and less than 1000000000000'),
    ]
    assert {row["title"] for row in crm.rows("SELECT title FROM deals")} == {"good", "also good"}


def test_a_row_that_is_not_text_costs_only_itself(load: Any, crm: Crm) -> None:
    report = load(
        tenants="tenant\nGood\nZürich\n".encode() + b"M\xfcnchen\nNo\x00rth\nAlso good\n",
    )
    assert reasons(report) == [(4, "the line is not valid UTF-8"), (5, "the line holds a NUL byte")]
    assert [row["name"] for row in crm.rows("SELECT name FROM tenants ORDER BY name")] == [
        "Also good",
        "Good",
        "Zürich",
    ]


def test_a_quote_that_is_never_closed_costs_only_its_line(load: Any, crm: Crm) -> None:
    rows = "".join(f'Northwind,"Client ""{n}""\nLtd"\n' for n in range(300))
    report = load(
        **clean("tenants"),
        clients=f'tenant,company_name\nNorthwind,"Acme\nNorthwind,5" Pipes\n{rows}Northwind,"End\n',
    )
    assert reasons(report) == [
        (2, "the line cannot be read: ',' expected after '\"'"),
        (604, "a quote is opened and not closed"),
    ]
    names = {row["company_name"] for row in crm.rows("SELECT company_name FROM clients")}
    assert len(names) == 301
    assert {'5" Pipes', 'Client "299"\nLtd'} <= names


@pytest.mark.parametrize(
    ("delimiter", "newline", "mark"),
    [(",", "\n", b""), (";", "\r\n", b"\xef\xbb\xbf"), ("\t", "\r", b""), ("|", "\n", b"\xef\xbb\xbf")],
)
def test_whatever_a_spreadsheet_saves_is_read(load: Any, crm: Crm, delimiter: str, newline: str, mark: bytes) -> None:
    lines = (
        ["Tenant", "Company Name", "INDUSTRY", ""],
        ["Northwind", "Müller & Söhne", " retail ", ""],
        ["", "", "", ""],
        [""],
        ["Northwind", f'"Acme{delimiter} Inc"', "", ""],
        ["Northwind", "", "", ""],
    )
    text = newline.join(delimiter.join(line) for line in lines)
    report = load(**clean("tenants"), clients=mark + text.encode())

    assert reasons(report) == [(6, "company_name is missing")]
    rows = crm.rows("SELECT company_name, industry FROM clients ORDER BY company_name")
    assert rows == [
        {"company_name": f"Acme{delimiter} Inc", "industry": None},
        {"company_name": "Müller & Söhne", "industry": "retail"},
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (
            b"tenant;name\nNorthwind;Acme\n",
            (
                "there is no column company_name: the header must name tenant, company_name "
                "and may name external_id, owner, industry, country, status"
            ),
        ),
        (b"tenant,company_name,status,Status\n", "the header names the column status twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_problem_and_stops_no_other(
    load: Any, crm: Crm, content: bytes, reason: str
) -> None:
    report = load(**clean("tenants", "profiles"), clients=content)
    assert report.problems == [Problem("clients.csv", 1, reason)]
    assert crm.one("SELECT count(*) AS n FROM profiles")["n"] == 1


def test_a_row_that_only_the_database_refuses_is_found_among_a_thousand(load: Any, crm: Crm) -> None:
    crm.execute("ALTER TABLE clients ADD CONSTRAINT known_country CHECK (country <> 'Atlantis')")
    countries = ["DE"] * 1500
    countries[700] = countries[1201] = "Atlantis"
    rows = "".join(f"Northwind,Client {n},{country}\n" for n, country in enumerate(countries))
    report = load(**clean("tenants"), clients=f"tenant,company_name,country\n{rows}")

    assert [problem.line for problem in report.problems] == [702, 1203]
    assert "known_country" in report.problems[0].reason
    assert report.tables["clients"].inserted == 1498


def test_a_name_that_several_rows_bear_is_not_guessed(load: Any, crm: Crm) -> None:
    report = load(
        **clean("tenants"),
        clients="tenant,company_name,external_id\nNorthwind,Acme,C-1\nNorthwind,Acme,C-2\n",
        contacts="tenant,email,client\nNorthwind,a@acme.example,Acme\nNorthwind,b@acme.example,C-2\n",
    )
    assert reasons(report) == [(2, 'more than one client is called "Acme"')]
    assert crm.one("SELECT email FROM contacts")["email"] == "b@acme.example"


def test_rows_of_a_crm_that_was_there_before_are_named_and_not_doubled(load: Any, crm: Crm) -> None:
    tenant = crm.tenant()
    acme = crm.client(tenant, company_name="ACME")
    ann = crm.contact(tenant, acme, email="Ann@acme.example")
    crm.order(tenant, order_number="O-1", client_id=acme)
    report = load(
        **clean("tenants"),
        clients="tenant,company_name\nNorthwind,Acme\n",
        contacts="tenant,email,client\nNorthwind,ann@acme.example,Acme\nNorthwind,bob@acme.example,Acme\n",
        deals="tenant,external_id,title,stage,client,contact\nNorthwind,D-1,Repair,lead,Acme,ann@acme.example\n",
        orders="tenant,order_number,client\nNorthwind,o-1,Acme\n",
    )
    assert report.problems == []
    assert {table: counts.inserted for table, counts in report.tables.items()} == {
        "tenants": 0, "clients": 0, "contacts": 1, "deals": 1, "orders": 0,
    }  # fmt: skip
    assert crm.one("SELECT contact_id FROM deals")["contact_id"] == ann
    # The client has a contact who speaks for it already.
    assert crm.one("SELECT is_primary FROM contacts WHERE email LIKE 'bob%%'")["is_primary"] is False


def test_a_row_of_another_tenant_can_not_be_named(load: Any, crm: Crm) -> None:
    report = load(
        tenants="tenant\nNorthwind\nSouthwind\n",
        clients="tenant,company_name\nNorthwind,Acme\n",
        deals="tenant,external_id,title,stage,client\nSouthwind,D-1,Theft,lead,Acme\n",
    )
    assert reasons(report) == [(2, 'there is no client "Acme"')]


def test_one_contact_of_each_client_is_its_primary_one_unless_the_file_says_who(load: Any, crm: Crm) -> None:
    load(**clean("tenants", "profiles", "clients", "contacts"))
    assert {row["email"] for row in crm.rows("SELECT email FROM contacts WHERE is_primary")} == {
        "ann@acme.example",
        "bea@bolt.example",
    }
    load(
        contacts="tenant,email,client,is_primary,external_id\n"
        "Northwind,zoe@bolt.example,C-2,,\nNorthwind,,C-2,yes,P-1\nNorthwind,no address,C-2,,\nNorthwind,,,maybe,P-2\n"
    )
    assert crm.one("SELECT is_primary FROM contacts WHERE email LIKE 'zoe%%'")["is_primary"] is False
    assert crm.one("SELECT is_primary FROM contacts WHERE email IS NULL")["is_primary"] is True


def test_a_long_file_tells_how_far_it_is(connection: Connection, tmp_path: Path) -> None:
    text = "tenant\n" + "".join(f"Tenant {n}\n" for n in range(2500))
    (tmp_path / "tenants.csv").write_text(text)
    seen: list[tuple[str, int, int]] = []
    load_directory(connection, tmp_path, progress=lambda *step: seen.append(step))

    assert [name for name, _, _ in seen] == ["tenants.csv"] * 4
    positions = [done for _, done, _ in seen]
    assert positions == sorted(positions)
    assert seen[-1][1:] == (len(text), len(text))


def test_a_folder_without_a_known_file_says_what_is_expected(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(FleetError, match=r"nothing to load: expected some of tenants\.csv, .* sales_pipeline\.csv"):
        load_directory(connection, tmp_path)
    with pytest.raises(FleetError, match="cannot read the folder"):
        load_directory(connection, tmp_path / "missing")
    (tmp_path / "accounts.csv").write_text("account\n")
    with pytest.raises(FleetError, match=r"lacks sales_teams\.csv, products\.csv, sales_pipeline\.csv"):
        load_directory(connection, tmp_path)


def test_a_dirty_sales_set_loses_only_what_is_wrong(load: Any, crm: Crm) -> None:
    header = "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
    report = load(
        accounts="account,sector\nFoo Bar,technolgy\nFoo-Bar,retail\n,retail\n",
        sales_teams="sales_agent,manager\nMei-Mei Johns,Melvin Marxen\n",
        products="product,sales_price\nGTX Pro,4821\n",
        sales_pipeline=header + "A1,Mei-Mei Johns,GTXPro,Foo Bar,Won,20-10-16,01-03-17,1054\n"
        "A2,Nobody,GTX Pro,Foo Bar,Won,20-10-16,01-03-17,1\n"
        "A3,Mei-Mei Johns,GTX Max,Foo Bar,Won,20-10-16,01-03-17,1\n"
        "A4,Mei-Mei Johns,GTX Pro,Baz,Won,20-10-16,01-03-17,1\n"
        "A5,Mei-Mei Johns,GTX Pro,Foo Bar,Sold,20-10-16,01-03-17,1\n"
        "A6,Mei-Mei Johns,GTX Pro,Foo Bar,Won,2016-10-20,01-03-17,1\n"
        "A7,Mei-Mei Johns,GTX Pro,Foo Bar,Lost,20-10-16,,0\n"
        "A8,Mei-Mei Johns,GTX Pro,Foo Bar,Won,20-10-16,01-03-16,1\n"
        "A9,Mei-Mei Johns,gtx pro,Foo-Bar,Engaging,20-10-16,,\n",
    )
    assert [(problem.file, problem.line, problem.reason) for problem in report.problems] == [
        ("accounts.csv", 4, "account is missing"),
        ("sales_pipeline.csv", 3, 'there is no sales agent "Nobody"'),
        ("sales_pipeline.csv", 4, 'there is no product "GTX Max"'),
        ("sales_pipeline.csv", 5, 'there is no client "Baz"'),
        ("sales_pipeline.csv", 6, 'deal_stage "sold" is none of prospecting, engaging, won, lost'),
        ("sales_pipeline.csv", 7, 'engage_date "2016-10-20" is not a date like 31-12-17 (day-month-year)'),
        ("sales_pipeline.csv", 8, "close_date is missing for an opportunity that is lost"),
        ("sales_pipeline.csv", 9, "close_date lies before engage_date"),
    ]
    assert 'accounts.csv: sector "technolgy" is loaded as "technology" (1x)' in report.notes
    assert [(row["title"], row["value"]) for row in crm.rows("SELECT title, value FROM deals ORDER BY title")] == [
        ("GTX Pro for Foo Bar", Decimal("1054.00")),
        ("GTX Pro for Foo-Bar", Decimal("4821.00")),
    ]
    addresses = {row["email"] for row in crm.rows("SELECT email FROM contacts")}
    assert addresses == {"contact@foo-bar.example", "contact@foo-bar-3.example"}
