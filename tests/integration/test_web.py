"""If these fail, who wants no more mail gets more, or a mail scanner ends what its reader wants."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.crm import NOW, Crm, days, wait_until
from tests.letters import part_of
from tests.mail import MailServer, free_port
from tests.outbox import run, suppressed, write
from tests.web import served
from workers.correspondence import opt_out_token
from workers.db.session import Connection
from workers.inbound.ingest import Stored, ingest
from workers.settings import settings

PUBLIC = "https://mail.northwind.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # the body that RFC 8058 wants posted


@pytest.fixture
def sent(connection: Connection, crm: Crm, server: MailServer) -> tuple[UUID, str]:
    """A tenant, and the link in the letter that Ann got from it; three more are planned to her."""
    tenant = crm.tenant("Northwind")
    (number,) = write(crm, tenant)
    run(connection, server.url, fleet_public_url=PUBLIC)
    first = crm.actions(id=number)[0]
    write(crm, tenant, 2, contact_id=first["contact_id"], run_at=NOW + days(3))
    same = {"contact_id": first["contact_id"], "client_id": first["client_id"], "subject_id": first["subject_id"]}
    write(crm, tenant, 1, **same, run_at=NOW + days(3))
    [(_, message)] = server.received
    [link] = re.findall(r"<(https:.*?)>", message["List-Unsubscribe"])
    assert link.startswith(f"{PUBLIC}/unsubscribe/")
    return tenant, link.removeprefix(PUBLIC)


def test_only_who_presses_the_button_gets_no_more(client: httpx.Client, crm: Crm, sent: tuple[UUID, str]) -> None:
    _, link = sent
    for _ in range(2):
        page = client.get(link)
        assert page.status_code == 200
        assert "Shall Northwind write no more messages like this one to a…@acme.example?" in page.text
        assert '<form method="post">' in page.text
    assert client.head(link).status_code == 200
    assert suppressed(crm) == {}
    assert len(crm.actions(status="scheduled", kind="email")) == 3

    page = client.post(link)

    assert page.status_code == 200
    assert "Northwind will write no more messages like this one to a…@acme.example." in page.text
    assert suppressed(crm) == {"ann@acme.example": "wants no more mail"}
    assert crm.actions(status="scheduled", kind="email") == []


def test_a_mail_program_does_it_by_itself_and_again_changes_nothing(
    client: httpx.Client, crm: Crm, sent: tuple[UUID, str]
) -> None:
    tenant, link = sent
    for _ in range(3):
        assert client.post(link, data=ONE_CLICK).status_code == 200

    (task,) = crm.actions(template="opt_out")
    assert task["variables"]["cancelled"] >= 1
    assert task["tenant_id"] == tenant
    (kept, *_) = crm.rows("SELECT kind, from_address, text FROM inbound_messages")
    assert (kept["kind"], kept["from_address"]) == ("reply", "ann@acme.example")


def test_its_task_says_how_it_was_asked(
    client: httpx.Client, connection: Connection, crm: Crm, sent: tuple[UUID, str], server: MailServer
) -> None:
    client.post(sent[1])
    crm.execute("UPDATE scheduled_actions SET run_at = %s WHERE template = 'opt_out'", NOW)

    run(connection, server.url)

    (task,) = crm.rows("SELECT description FROM tasks")
    assert "asked not to be written to any more, by the unsubscribe link in our e-mail of" in task["description"]


def test_who_was_let_in_again_and_asks_again_is_heard_again(
    client: httpx.Client, crm: Crm, sent: tuple[UUID, str]
) -> None:
    client.post(sent[1])
    crm.execute("DELETE FROM suppressions")
    crm.execute("UPDATE inbound_messages SET message_id = '<earlier@link.invalid>'")

    client.post(sent[1])

    assert list(suppressed(crm)) == ["ann@acme.example"]


@pytest.mark.parametrize("token", ["a" * 29, "x", "a" * 500, "%2e%2e%2fetc", "ÄÖÜ"])
def test_a_forged_link_does_nothing_and_says_what_to_do_instead(client: httpx.Client, crm: Crm, token: str) -> None:
    for answer in (client.get(f"/unsubscribe/{token}"), client.post(f"/unsubscribe/{token}")):
        assert answer.status_code == 404
        assert "stop" in answer.text or "Not Found" in answer.text
    assert suppressed(crm) == {}


def test_a_link_altered_in_any_letter_is_forged(client: httpx.Client, crm: Crm, sent: tuple[UUID, str]) -> None:
    front, _, token = sent[1].rpartition("/")
    for place, letter in enumerate(token):
        other = "b" if letter == "a" else "a"
        assert client.post(f"{front}/{token[:place]}{other}{token[place + 1 :]}").status_code == 404
    assert suppressed(crm) == {}


def test_a_link_of_what_is_gone_is_unknown(client: httpx.Client) -> None:
    assert client.post(f"/unsubscribe/{opt_out_token(7)}").status_code == 404
    assert client.post(f"/unsubscribe/{opt_out_token(2**64 - 1)}").status_code == 404


def test_a_page_loads_nothing_and_is_kept_by_nobody(client: httpx.Client, sent: tuple[UUID, str]) -> None:
    page = client.get(sent[1])

    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert not re.search(r"<script|src=|https?://", page.text)
    assert "Disallow: /" in client.get("/robots.txt").text


def test_the_page_is_in_the_letters_language_and_shows_a_tenants_name_as_text(
    client: httpx.Client, crm: Crm, sent: tuple[UUID, str]
) -> None:
    tenant, link = sent
    crm.execute("INSERT INTO tenant_letters (tenant_id, language) VALUES (%s, 'de')", tenant)
    crm.update("tenants", tenant, name="<b>Nord</b>")
    page = client.get(link, headers={"Accept-Language": "fr"})

    assert '<html lang="de">' in page.text
    assert "Soll &lt;b&gt;Nord&lt;/b&gt; keine Nachrichten" in page.text
    assert '<html lang="fr">' in client.get("/unsubscribe/x", headers={"Accept-Language": "fr-CA,en;q=0.5"}).text


def test_while_the_database_is_away_the_reader_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://127.0.0.1:{free_port()}/nowhere")
    settings.cache_clear()
    with served() as client:
        answer = client.post(f"/unsubscribe/{opt_out_token(7)}")

    assert answer.status_code == 503
    assert "try again later" in answer.text


@pytest.mark.parametrize("with_body", [True, False])
def test_the_letter_that_a_mail_program_writes_instead_is_understood(
    connection: Connection, crm: Crm, server: MailServer, with_body: bool
) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes VALUES ('care@fleet.example', %s)", tenant)
    write(crm, tenant)
    run(connection, server.url)
    [(_, message)] = server.received
    [mailto] = re.findall(r"<(mailto:.*?)>", message["List-Unsubscribe"])
    link = httpx.URL(mailto)
    body = link.params["body"] if with_body else ""

    outcome = ingest(
        connection,
        f"From: Ann <ann@acme.example>\nTo: {link.path}\nSubject: {link.params['subject']}\n"
        f"Message-ID: <u@acme.example>\n\n{body}\n".encode(),
        "a test",
    )

    assert isinstance(outcome, Stored)
    assert suppressed(crm) == {"ann@acme.example": "wants no more mail"}
    assert "stop" in part_of(message)


def test_the_process_serves_this_machine_only_and_says_who_is_in_its_way(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": database_url, "FLEET_HOME": str(tmp_path / "home"), "FLEET_WEB_PORT": str(port),
    }  # fmt: skip
    command = [sys.executable, "-m", "workers", "web"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as web:
        try:
            assert web.stdout is not None
            assert web.stdout.readline() == f"web: http://127.0.0.1:{port}\n"
            wait_until(lambda: _answers(f"http://127.0.0.1:{port}/health"), "the web process")
            second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert f"cannot listen on 127.0.0.1 port {port}" in second.stderr
        finally:
            web.send_signal(signal.SIGTERM)
        assert web.stdout.read() == ""
    assert web.returncode in (0, -signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).text == "ok\n"
    except httpx.TransportError:
        return False
