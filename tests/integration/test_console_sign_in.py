"""If these fail, somebody signs in to the console who may not, or nobody can who may."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import sql

from tests.console import browser, signed_in
from tests.crm import Crm, wait_until
from tests.letters import part_of
from tests.mail import MailServer
from tests.shell import fleet
from tests.web import served
from workers.db.session import Connection
from workers.runtime.console_links import new_link, note_address
from workers.runtime.tokens import token_hash
from workers.settings import settings, usable_home

KNOWN = "olive@northwind.example"


@pytest.fixture
def client(database_url: str, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SMTP_URL", server.url)
    settings.cache_clear()
    usable_home()
    with served() as client:
        note_address(client.base_url.host, client.base_url.port or 0)
        yield client


@pytest.fixture
def visitor(client: httpx.Client) -> Iterator[httpx.Client]:
    with browser(str(client.base_url).rstrip("/")) as visitor:
        yield visitor


def asks(visitor: httpx.Client, address: str) -> httpx.Response:
    return visitor.post("/console/sign-in", data={"address": address})


def trail(crm: Crm) -> list[tuple[str, str]]:
    return [(row["who"], row["what"]) for row in crm.rows("SELECT who, what FROM console_audit ORDER BY id")]


def test_the_mailed_link_signs_in_once_and_only_who_presses_the_button(
    visitor: httpx.Client, crm: Crm, server: MailServer
) -> None:
    crm.profile(crm.tenant("Northwind"), email="Olive@Northwind.example", role="sales")
    answer = asks(visitor, f" {KNOWN} ")
    assert "a link is on its way" in answer.text
    [(address, message)] = wait_until(lambda: server.received, "the mail with the link")
    assert address.lower() == KNOWN
    [link] = re.findall(r"http\S+", part_of(message))
    assert link.startswith(str(visitor.base_url))
    for _ in range(2):  # a scanner of mail opens it, too
        assert "You are about to sign in as" in visitor.get(link).text
    assert visitor.get("/console/").headers["Location"] == "/console/sign-in"

    token = {"token": link.partition("token=")[2]}
    assert visitor.post("/console/enter", data=token).headers["Location"] == "/console/"
    assert "Northwind" in visitor.get("/console/").text
    assert "This link does not work" in visitor.post("/console/enter", data=token).text
    assert visitor.get(link).status_code == 404
    assert trail(crm) == [(KNOWN, "asks for a link"), ("Olive@Northwind.example", "signs in")]


def test_an_address_that_nobody_knows_gets_the_same_answer_and_no_mail(
    visitor: httpx.Client, crm: Crm, server: MailServer
) -> None:
    crm.profile(crm.tenant("Northwind"), email=KNOWN)
    answers = [asks(visitor, address) for address in (KNOWN, "nobody@northwind.example")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    assert {**answers[0].headers, "date": ""} == {**answers[1].headers, "date": ""}
    wait_until(lambda: len(trail(crm)) == 2, "both wishes")
    wait_until(lambda: server.received, "the one mail")
    assert [address for address, _ in server.received] == [KNOWN]


def test_who_asks_again_and_again_is_not_mailed_without_end(
    visitor: httpx.Client, crm: Crm, server: MailServer
) -> None:
    crm.profile(crm.tenant("Northwind"), email=KNOWN)
    texts = {asks(visitor, KNOWN).text for _ in range(5)}
    assert len(texts) == 1, "it must not show either"
    wait_until(lambda: len(server.received) == 3, "three mails")
    for n in range(20):
        asks(visitor, f"guess{n}@northwind.example")
    wait_until(lambda: len(trail(crm)) == 20, "what is noted of one place")
    asks(visitor, "more@northwind.example")
    assert len(server.received) == 3
    assert len(trail(crm)) == 20


def test_a_person_of_two_tenants_gets_a_link_for_each(visitor: httpx.Client, crm: Crm, server: MailServer) -> None:
    for name in ("Northwind", "Southwind"):
        crm.profile(crm.tenant(name), email=KNOWN)
    asks(visitor, KNOWN)
    [(_, message)] = wait_until(lambda: server.received, "the mail")
    text = part_of(message)
    assert len(set(re.findall(r"http\S+", text))) == 2
    assert text.index("Northwind") < text.index("Southwind")


def test_tokens_are_nowhere_in_the_database(client: httpx.Client, connection: Connection, crm: Crm) -> None:
    with signed_in(client, connection) as operator:
        [token] = operator.cookies.values()
    link = new_link(connection, "http://x", operator="root")
    rows = str(crm.rows("SELECT * FROM console_links")) + str(crm.rows("SELECT * FROM console_sessions"))
    assert token not in rows
    assert link.partition("token=")[2] not in rows
    assert token_hash(token) in [row["token_hash"] for row in crm.rows("SELECT token_hash FROM console_sessions")]


@pytest.mark.parametrize(
    ("column", "ago"),
    [("seen_at", timedelta(hours=2, minutes=1)), ("ends_at", timedelta(0)), ("revoked_at", timedelta(0))],
)
def test_a_session_ends_by_idleness_by_age_and_by_being_revoked(
    client: httpx.Client, connection: Connection, crm: Crm, column: str, ago: timedelta
) -> None:
    with signed_in(client, connection) as operator:
        assert operator.get("/console/").status_code == 200
        ends = sql.SQL("UPDATE console_sessions SET {} = now() - %s::interval").format(sql.Identifier(column))
        crm.execute(ends, ago)
        assert operator.get("/console/").headers["Location"] == "/console/sign-in"
        part = operator.get("/console/", headers={"HX-Request": "true"})
        assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/console/sign-in")
        assert operator.post("/console/runs", data={"engine": "deals"}).status_code == 401


def test_an_old_link_and_one_of_somebody_who_left_do_not_work(
    visitor: httpx.Client, connection: Connection, crm: Crm
) -> None:
    person = crm.profile(crm.tenant(), email=KNOWN)
    links = [new_link(connection, "http://x", profile=person), new_link(connection, "http://x", operator="root")]
    crm.execute("UPDATE console_links SET ends_at = now() WHERE operator IS NOT NULL")
    crm.execute("DELETE FROM profiles WHERE id = %s", person)
    for link in [*links, "token=", "token=x"]:
        answer = visitor.post("/console/enter", data={"token": link.partition("token=")[2]})
        assert answer.status_code == 404
        assert answer.headers.get("Set-Cookie") is None


def test_who_leaves_the_company_is_out_with_the_next_request(
    client: httpx.Client, connection: Connection, crm: Crm
) -> None:
    person = crm.profile(crm.tenant(), email=KNOWN)
    with signed_in(client, connection, person) as visitor:
        assert visitor.get("/console/").status_code == 200
        crm.execute("DELETE FROM profiles WHERE id = %s", person)
        assert visitor.get("/console/").status_code == 303


def test_signing_out_ends_the_session_and_not_only_the_cookie(
    client: httpx.Client, connection: Connection, crm: Crm
) -> None:
    with signed_in(client, connection) as operator:
        kept = dict(operator.cookies)
        answer = operator.post("/console/sign-out")
        assert answer.headers["Location"] == "/console/sign-in"
        assert "Max-Age=0" in answer.headers["Set-Cookie"]
        operator.cookies.update(kept)
        assert operator.get("/console/").status_code == 303
    assert trail(crm)[-1] == ("root", "signs out")


def test_fleet_console_prints_the_operators_link_and_signs_everybody_out(
    client: httpx.Client, visitor: httpx.Client, connection: Connection, database_url: str
) -> None:
    link = fleet(database_url, "console").stdout.strip()
    assert link.startswith(f"{visitor.base_url}".rstrip("/") + "/console/enter?token=")
    unused = fleet(database_url, "console").stdout.strip()
    visitor.post("/console/enter", data={"token": link.partition("token=")[2]})
    assert "operator" in visitor.get("/console/").text

    said = fleet(database_url, "console", "--sign-out-all").stdout

    assert said == "signed out: 1 session; unused links are void\n"
    assert visitor.get("/console/").status_code == 303
    assert visitor.get(unused).status_code == 404


def test_fleet_console_says_when_nobody_would_answer(database_url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "web.address").write_text("http://127.0.0.1:1")
    assert "nobody answers there yet" in fleet(database_url, "console", FLEET_HOME=str(home)).stdout


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 403),
    ],
)
def test_another_site_cannot_press_a_button_here(
    client: httpx.Client, connection: Connection, headers: dict[str, str], status: int
) -> None:
    with signed_in(client, connection) as operator:
        del operator.headers["Origin"], operator.headers["Sec-Fetch-Site"]
        assert operator.post("/console/sign-out", headers=headers).status_code == status


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites_and_behind_tls_of_plain_http(
    client: httpx.Client, connection: Connection
) -> None:
    base = str(client.base_url).rstrip("/")
    for scheme, expected in (("http", ["fleet=", "HttpOnly", "SameSite=lax"]), ("https", ["__Host-fleet=", "Secure"])):
        link = new_link(connection, base, operator="root")
        # What stands before the pages and speaks TLS says so in this header.
        headers = {"Origin": base, "X-Forwarded-Proto": scheme}
        data = {"token": link.partition("token=")[2]}
        cookie = httpx.post(f"{base}/console/enter", data=data, headers=headers).headers["Set-Cookie"]
        assert [part for part in expected if part not in cookie] == []
        assert "Domain" not in cookie
        assert ("Secure" in cookie) == (scheme == "https")


def test_the_way_on_stays_in_the_console(client: httpx.Client, connection: Connection) -> None:
    with signed_in(client, connection) as operator:
        for path in (
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/console/\\evil",
            "javascript:x",
            "",
        ):
            answer = operator.post("/console/tenant", data={"tenant": "", "next": path})
            assert answer.headers["Location"] == "/console/", path


def test_what_a_link_says_was_done_is_never_the_links_own_words(client: httpx.Client, connection: Connection) -> None:
    with signed_in(client, connection) as operator:
        for said in ("Your+account+is+blocked", "approve&n=9999999999", "approve&n=x", "<script>"):
            page = operator.get(f"/console/?done={said}")
            assert page.status_code == 200
            assert "blocked" not in page.text


def headers_of(answer: httpx.Response) -> dict[str, Any]:
    return {name: answer.headers.get(name) for name in ("Content-Security-Policy", "Cache-Control", "Referrer-Policy")}


def test_every_page_forbids_what_it_does_not_need(client: httpx.Client, connection: Connection) -> None:
    with signed_in(client, connection) as operator:
        for path in ("/console/", "/console/sign-in", "/console/nothing/here"):
            said = headers_of(operator.get(path))
            assert said["Cache-Control"] == "no-store", path
        said = headers_of(operator.get("/console/"))
    policy = said["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert said["Referrer-Policy"] == "same-origin"
    style = client.get(re.findall(r'href="(/console/assets/console.css\S+)"', client.get("/console/sign-in").text)[0])
    assert "immutable" in style.headers["Cache-Control"]
    assert client.get("/console/assets/../door.py").status_code == 404
