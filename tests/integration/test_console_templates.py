"""If these fail, a tenant's manager cannot say things the tenant's way at the console, or breaks its letters there."""

from uuid import UUID

import httpx

from tests.console import signed_in
from tests.crm import Crm
from tests.outbox import write
from tests.shell import fleet
from tests.tokens import bearer
from workers.db.session import Connection

PATH = "/console/templates/deal_follow_up/en"
OWN = 'About "{{ deal }}"\n{% include "greeting.txt.j2" %}\n\nShall we go on?\n\n{{ tenant }}\n'


def test_a_text_is_read_as_its_reader_will_before_it_is_kept_and_taken_back_afterwards(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    page = manager.get(PATH).text
    assert "On a made-up one: none was written yet" in page
    assert "Hello Ada," in page
    write(crm, tenant)
    shown = manager.post(f"{PATH}/preview", data={"source": OWN.replace("\n", "\r\n")}).text.replace("\r\n", "\n")
    assert "<strong>About &#34;Ten licences&#34;</strong>" in shown
    assert "<p>Hello Ann,</p>\n<p>Shall we go on?</p>" in shown, "the letter's page, in the styles of this one"
    assert "To get no more messages like this one" in shown
    assert "style=" not in shown
    assert crm.rows("SELECT FROM tenant_templates") == []

    kept = manager.post(PATH, data={"source": OWN.replace("\n", "\r\n")})
    assert kept.headers["Location"] == f"{PATH}?done=kept&n=1"
    assert "Version 1 is in force." in manager.get(kept.headers["Location"]).text
    assert fleet(database_url, "templates", "show", "Northwind", "deal_follow_up").stdout == OWN
    assert "en (own 1)" in manager.get("/console/templates").text
    assert manager.post(PATH, data={"source": OWN}).headers["Location"] == f"{PATH}?done=nothing&n=1"
    manager.post(PATH, data={"source": OWN.replace("Shall", "Should")})
    assert "Shall we go on?" in manager.get(f"{PATH}?version=1").text
    assert manager.get(f"{PATH}?version=9").status_code == 404

    assert manager.post(f"{PATH}/shipped").headers["Location"] == f"{PATH}?done=reset&n=3"
    assert "Should we go on?" not in fleet(database_url, "templates", "show", "Northwind", "deal_follow_up").stdout
    rows = crm.rows("SELECT version, written_by, source IS NULL AS shipped FROM tenant_templates ORDER BY version")
    assert [(row["version"], row["shipped"]) for row in rows] == [(1, False), (2, False), (3, True)]
    assert {row["written_by"] for row in rows} == {"olive@northwind.example"}


SLIPS = {
    "Hello\n{{ deel }}": "there is no variable deel: there are",
    "Hello\n\n{% if step %}": "line 3: ",
    "Hello\n{{ deal * 9 }}": "mul cannot be used in a text of your own",
    "Hello\n": "one of them is empty",
    "": "one of them is empty",
}


def test_a_slip_is_refused_with_what_is_wrong_and_what_was_written_is_not_lost(manager: httpx.Client, crm: Crm) -> None:
    for source, complaint in SLIPS.items():
        for path, status in ((f"{PATH}/preview", 200), (PATH, 400)):
            answer = manager.post(path, data={"source": source})
            assert answer.status_code == status, source
            assert complaint in answer.text
            assert f">\n{source}</textarea>" in answer.text
    assert crm.rows("SELECT FROM tenant_templates") == []


def test_tasks_have_texts_too_and_what_there_is_not_is_said(
    client: httpx.Client, connection: Connection, manager: httpx.Client
) -> None:
    page = manager.get("/console/templates/deal_handover/en").text
    assert "there is nothing to show it on" in page
    for place in ("nothing/en", "deal_follow_up/xx", "greeting/en"):
        assert manager.get(f"/console/templates/{place}").status_code == 404
    with signed_in(client, connection) as operator:
        assert "This is the shipped text" in operator.get(PATH).text
        assert operator.post(PATH, data={"source": OWN}).status_code == 400


def test_a_text_may_be_as_long_here_as_over_the_api_in_whatever_letters(
    client: httpx.Client, manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    longest = "Hello\n" + "語" * 19_994
    headers = bearer(crm.profile(tenant, role="admin"))
    assert 'maxlength="20000"' in manager.get(PATH).text
    assert manager.post(PATH, data={"source": longest}).status_code == 303
    over_api = client.put("/api/templates/deal_follow_up", json={"source": longest + "!"}, headers=headers)
    assert over_api.status_code == 422
    here = manager.post(PATH, data={"source": longest + "!"})
    assert (here.status_code, "at most 20,000 characters" in here.text) == (400, True)
    assert len(client.get("/api/templates/deal_follow_up", headers=headers).json()["source"]) == 20_000
