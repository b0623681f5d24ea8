"""If these fail, nobody can say afterwards who did what, or somebody reads it whose business it is not."""

import csv
import io
import re
from html import unescape
from uuid import UUID

import httpx

from tests.console import signed_in
from tests.crm import Crm
from tests.sql.test_rls import acting
from workers.db.session import Connection

PATH = "/console/trail"


def note(crm: Crm, tenant: UUID | None, who: str, did: tuple[str, str], *, at: str = "2026-03-02T09:00Z") -> None:
    crm.execute(
        "INSERT INTO console_audit (at, tenant_id, who, what, item, origin) VALUES (%s, %s, %s, %s, %s, '192.0.2.7')",
        at, tenant, who, *did,
    )  # fmt: skip


def file_of(visitor: httpx.Client, query: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(visitor.get(f"{PATH}.csv?{query}").text)))


def test_the_trail_is_found_by_person_deed_thing_and_day(manager: httpx.Client, crm: Crm, tenant: UUID) -> None:
    for who, what, item, at in (
        ("sam@northwind.example", "approve", "12, 13", "2026-03-02T23:30Z"),
        ("sam@northwind.example", "sets", "deals.mode", "2026-03-03T00:30Z"),
        ("token =sync", "suppress", "ann@acme.example", "2026-03-04T09:00Z"),
    ):
        note(crm, tenant, who, (what, item), at=at)
    found = {
        "who=sam%40northwind.example": ["sets", "approve"], "what=suppress": ["suppress"], "item=13": ["approve"],
        "item=ANN%40": ["suppress"], "since=2026-03-03&until=2026-03-03": ["sets"],
        "until=2026-03-03": ["sets", "approve"], "who=nobody": [], "who=sam%40northwind.example&what=sets": ["sets"],
    }  # fmt: skip
    for query, expected in found.items():
        rows = file_of(manager, query)
        assert [row["what"] for row in rows] == expected, query
        page = manager.get(f"{PATH}?{query}").text
        assert re.findall('<td data-label="What">([^<]*)</td>', page) == expected, query
        assert ("Nobody did anything of the kind" in page) == (not expected)
    [row] = file_of(manager, "what=suppress")
    assert row == {
        "at": "2026-03-04T09:00:00+00:00", "who": "token =sync", "what": "suppress", "item": "ann@acme.example",
        "origin": "192.0.2.7",
    }  # fmt: skip
    page = manager.get(PATH).text
    assert {"approve", "sets", "signs in"} <= set(re.findall("<option[^>]*>([^<]+)</option>", page))
    assert 'role="alert"' in manager.get(f"{PATH}?since=x").text
    assert manager.get(f"{PATH}.csv?since=x").status_code == 404
    assert manager.get(f"{PATH}?before=x").status_code == 400


def test_the_trail_goes_on_page_by_page_without_gaps_though_much_was_done_at_one_moment(
    manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    for number in range(60):
        note(crm, tenant, "sam", ("stop", f"deal {number}"))
    note(crm, tenant, "sam", ("approve", "7"))
    seen: list[str] = []
    way: str | None = f"{PATH}?what=stop&who=sam"
    while way:
        page = manager.get(way).text
        seen += re.findall('<td data-label="To what">([^<]*)</td>', page)
        link = page.partition('rel="next"')[0].rpartition('<a class="button" href="')[2].partition('"')[0]
        way = unescape(link) if 'rel="next"' in page else None
    assert seen == [f"deal {number}" for number in reversed(range(60))]


def test_the_database_shows_a_trail_to_its_tenants_managers_alone_and_all_of_it_to_the_operator(
    client: httpx.Client, connection: Connection, manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    other = crm.tenant("Southwind")
    note(crm, tenant, "us", ("approve", "1"))
    note(crm, other, "them", ("approve", "2"))
    note(crm, None, "root", ("starts an engine", "deals"))
    people = {role: crm.profile(tenant, role=role) for role in ("admin", "sales", "viewer")}
    for role, person in people.items():
        with acting(crm.connection, "authenticated", person):
            rows = crm.rows("SELECT who FROM console_audit WHERE origin = '192.0.2.7'")
            assert [row["who"] for row in rows] == (["us"] if role == "admin" else []), role
            through = crm.rows("SELECT count(*) AS n FROM console_trail(%s, '{}', 10)", other)
            assert through == [{"n": 0}], role
    shown = "2026-03-02"
    assert [row["who"] for row in file_of(manager, f"until={shown}")] == ["us"]
    with signed_in(client, connection) as operator:
        everything = file_of(operator, f"until={shown}")
        assert [(row["who"], row["tenant_name"]) for row in everything] == [
            ("root", ""), ("them", "Southwind"), ("us", "Northwind"),
        ]  # fmt: skip
        operator.post("/console/tenant", data={"tenant": str(other)})
        assert [row["who"] for row in file_of(operator, f"until={shown}")] == ["them"]
