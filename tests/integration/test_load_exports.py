"""What Salesforce, HubSpot, Pipedrive and Zoho export goes in as it comes."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.crm import Crm
from tests.folders import reasons
from workers.load.directory import COLUMNS
from workers.load.exports import exports
from workers.load.layout import DELETED

OPEN = {"title": "Ten licences", "value": Decimal("12500.00"), "company": "Globex", "contact": "ann@globex.example"}


def sheet(*rows: dict[str, str]) -> str:
    """A CSV file with everything in quotes, as CRMs write it; the columns are those of the first row."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*rows[0]], quoting=csv.QUOTE_ALL, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def deals(crm: Crm) -> list[dict[str, Any]]:
    return crm.rows(
        "SELECT d.title, d.stage, d.value, l.company_name AS company, c.email AS contact, p.email AS owner,"
        " d.expected_close_date AS close, d.created_at FROM deals AS d LEFT JOIN clients AS l ON l.id = d.client_id"
        " LEFT JOIN contacts AS c ON c.id = d.contact_id LEFT JOIN profiles AS p ON p.id = d.owner_id"
        " ORDER BY title DESC"
    )


def test_a_data_export_of_salesforce(load_export: Any, crm: Crm) -> None:
    user, account = "0055g00000AAAAAA", "0015g00000BBBBBB"
    created = {"CreatedDate": "2026-01-05T08:30:00.000Z"}
    deal = {"IsDeleted": "0", "AccountId": account, "ContactId": "003C", "OwnerId": user, "IsClosed": "0", **created}
    report = load_export(
        {
            "User.csv": sheet({"Id": user, "Username": "o@nw.prod", "Name": "Olive Owner", "Email": "o@nw.example"}),
            "Account.csv": sheet(
                {"Id": account, "IsDeleted": "0", "Name": "Globex", "BillingCountry": "DE", "OwnerId": user, **created},
                {"Id": "0015g00000XXXXXX", "IsDeleted": "1", "Name": "Gone"},
            ),
            "Contact.csv": sheet(
                {"Id": "003C", "AccountId": account, "LastName": "Archer", "Email": "ann@globex.example"}
            ),
            "Opportunity.csv": sheet(
                {"Id": "006D", "Name": "Ten licences", "StageName": "Proposal/Price Quote", "Amount": "12500.0",
                 "Probability": "75.0", "CloseDate": "2026-04-30", **deal},
                {"Id": "006E", "Name": "Repair", "StageName": "Closed Won", **deal, "OwnerId": "0055gL"},
            ),
            "Campaign.csv": sheet({"Id": "701", "Name": "Fair", "Type": "Event", "OwnerId": user}),
            "Lead.csv": sheet({"Id": "00Q", "LastName": "L", "Name": "F L", "Company": "C", "Industry": ""}),
        }
    )  # fmt: skip
    assert reasons(report) == []
    ten, repair = deals(crm)
    assert ten == OPEN | {
        "stage": "proposal/price quote", "owner": "o@nw.example", "close": date(2026, 4, 30),
        "created_at": datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    }  # fmt: skip
    assert (repair["stage"], repair["owner"]) == ("closed won", None)
    assert crm.one("SELECT count(*) AS n FROM clients")["n"] == 1
    for note in (
        "Account.csv: taken for accounts of Salesforce and loaded as clients",
        "Account.csv: rows marked as deleted are passed over (1x)",
        'Opportunity.csv: without an owner, as no profile is called "0055gL" (1x): profiles.csv can bring them first',
        "Lead.csv: not loaded, as neither its name nor its header is known: mapping.toml can say what it is",
        "Campaign.csv: not loaded, as neither its name nor its header is known: mapping.toml can say what it is",
    ):
        assert note in report.notes


def test_reports_of_salesforce(load_export: Any, crm: Crm) -> None:
    opportunity = {
        "Opportunity ID": "006D", "Opportunity Name": "Ten licences", "Account Name": "Globex", "Stage": "Proposal",
        "Amount": "12.500,00", "Close Date": "30.04.2026", "Created Date": "05.01.2026", "Probability (%)": "75%",
    }  # fmt: skip
    report = load_export(
        {
            "report1.csv": sheet({"Account Name": "Globex", "Account Owner": "Olive Owner", "Billing Country": "DE"}),
            "report2.csv": sheet({"Last Name": "Archer", "Email": "ann@globex.example", "Account Name": "Globex"}),
            "report3.csv": sheet(opportunity),
        }
    )  # fmt: skip
    assert reasons(report) == []
    (ten,) = deals(crm)
    assert (ten["title"], ten["company"], ten["value"]) == ("Ten licences", "Globex", 12500)

    del opportunity["Opportunity ID"]
    assert reasons(load_export({"report3.csv": sheet(opportunity)})) == [
        (1, "there is no column opportunity_id: a Salesforce report of opportunities cannot be loaded without it")
    ]


def test_exports_of_hubspot(load_export: Any, crm: Crm) -> None:
    deal = {
        "Deal Stage": "Contract Sent", "Amount": "12500", "Close Date": "2026-04-30 10:00", "Deal owner": "Olive Owner",
        "Create Date": "2026-01-05 08:30", "Associated Company IDs": "12345678901", "Pipeline": "Sales",
    }  # fmt: skip
    report = load_export(
        {
            "profiles.csv": "tenant,email,full_name\nNorthwind,o@nw.example,Olive Owner\n",
            "hubspot-crm-exports-all-companies.csv": sheet(
                {"Record ID": "12345678901", "Company name": "Globex", "Company owner": "Olive Owner"}
            ),
            "contacts.csv": sheet(
                {"Record ID": "901", "First Name": "Ann", "Last Name": "Archer", "Email": "ann@globex.example",
                 "Associated Company": "Globex", "Associated Company IDs": "12345678901"},
                {"Record ID": "902", "First Name": "Bob", "Associated Company IDs": "12345678901"},
            ),
            "deals.csv": sheet(
                {"Record ID": "777", "Deal Name": "Ten licences", "Associated Contact IDs": "901", **deal},
                {"Record ID": "778", "Deal Name": "Repair", "Associated Contact IDs": "901;902", **deal},
            ),
        }
    )  # fmt: skip
    assert reasons(report) == []
    ten, repair = deals(crm)
    assert (
        ten.items() >= (OPEN | {"stage": "contract sent", "owner": "o@nw.example", "close": date(2026, 4, 30)}).items()
    )
    assert (repair["company"], repair["contact"]) == ("Globex", None)
    assert "deals.csv: rows that name several contacts are loaded without one (1x)" in report.notes


def test_exports_of_pipedrive(load_export: Any, crm: Crm) -> None:
    deal = {"Deal - Value": "12500", "Deal - Organization": "Globex", "Deal - Contact person": "Ann Archer"}
    deal |= {
        "Deal - Stage": "Negotiations",
        "Deal - Deal created": "2026-01-05 08:30:00",
        "Deal - Owner": "Olive Owner",
    }
    report = load_export(
        {
            "organizations-1.csv": sheet({"Organization - Name": "Globex", "Organization - ID": "11"}),
            "people-2.csv": sheet(
                {"Person - Name": "Ann Archer", "Person - Organization": "Globex", "Person - Email - Work": "",
                 "Person - Email - Home": "ann@globex.example", "Person - ID": "21"},
            ),
            "deals-3.csv": sheet(
                {"Deal - ID": "31", "Deal - Title": "Ten licences", "Deal - Status": "Open",
                 "Deal - Won time": "", **deal},
                {"Deal - ID": "32", "Deal - Title": "Repair", "Deal - Status": "Won",
                 "Deal - Won time": "2026-01-30 12:00:00", **deal},
            ),
        }
    )  # fmt: skip
    assert reasons(report) == []
    ten, repair = deals(crm)
    assert ten.items() >= (OPEN | {"stage": "negotiations", "owner": None}).items()
    # Won in the middle of the pipeline: nobody is to be asked how the deal is going.
    assert repair["stage"] == "won"
    assert crm.one("SELECT changed_at FROM deal_stage_history")["changed_at"] == datetime(2026, 1, 30, 12, tzinfo=UTC)
    # Which of the words is the first name, nobody can tell.
    assert crm.rows("SELECT first_name, last_name FROM contacts") == [{"first_name": None, "last_name": "Ann Archer"}]


def test_exports_of_zoho(load_export: Any, crm: Crm) -> None:
    account = {"Account Name.id": "zcrm_1", "Account Name": "Globex"}
    report = load_export(
        {
            "Accounts.csv": sheet({"Record Id": "zcrm_1", "Account Owner": "Olive Owner", "Account Name": "Globex"}),
            "Contacts.csv": sheet(
                {"Record Id": "zcrm_2", "Last Name": "Archer", "Email": "ann@globex.example", **account}
            ),
            "Deals.csv": sheet(
                {"Record Id": "zcrm_3", "Deal Name": "Ten licences", "Amount": "12500", "Closing Date": "2026-04-30",
                 "Stage": "Proposal", "Probability (%)": "75", "Contact Name.id": "zcrm_2", "Contact Name": "Archer",
                 "Created Time": "2026-01-05 08:30:00", **account}
            ),
        }
    )  # fmt: skip
    assert reasons(report) == []
    (ten,) = deals(crm)
    assert ten.items() >= (OPEN | {"stage": "proposal", "close": date(2026, 4, 30)}).items()


def test_every_known_export_speaks_of_columns_that_exist() -> None:
    assert len(exports()) >= 13
    for export in exports():
        columns = {*COLUMNS[export.layout.table], DELETED}
        assert {*export.layout.sources} <= columns, export.layout.origin
