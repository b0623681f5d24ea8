"""If these fail, mail is missed, read twice, or marked in somebody's mailbox."""

import imaplib
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from celery import Celery

import workers.inbound.imap
import workers.inbound.ingest
from tests.crm import NOW, Crm
from tests.imap import ImapServer
from tests.inbound import followed_up
from tests.letters import letter
from tests.mail import dripping, free_port
from workers import clock
from workers.db.session import Connection
from workers.inbound.imap import ImapError, poll
from workers.inbound.tasks import register
from workers.settings import settings


def visit(connection: Connection, url: str, seconds: float = 60) -> Counter[str]:
    with clock.at(NOW):
        return poll(connection, url, budget_seconds=seconds)


def task() -> dict[str, int]:
    """Run the task as a worker does."""
    app = Celery("inbound", broker="memory://", set_as_current=False)
    register(app)
    counts: dict[str, int] = app.tasks["workers.inbound.poll"]()
    return counts


def tenant_of(crm: Crm, address: str) -> UUID:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", address, tenant)
    return tenant


def test_each_visit_takes_in_what_is_new(connection: Connection, crm: Crm, imap_server: ImapServer) -> None:
    account = "each@northwind.example"
    tenant = tenant_of(crm, account)
    url = imap_server.url(account)

    assert visit(connection, url) == {}
    imap_server.deliver(account, *(letter(f"Hello {n}", to="list@elsewhere.example") for n in range(120)))
    assert visit(connection, url) == {"stored": 120}
    assert visit(connection, url) == {}
    imap_server.deliver(account, letter("One more"), b"Subject: nobody wrote this\n\nhello")
    assert visit(connection, url) == {"stored": 1, "aside": 1}
    assert {row["tenant_id"] for row in crm.rows("SELECT tenant_id FROM inbound_messages")} == {tenant}
    [folder] = crm.rows("SELECT * FROM imap_folders")
    assert (folder["folder"], folder["last_uid"], folder["polled_at"]) == (f"{account}@127.0.0.1/INBOX", 122, NOW)
    [aside] = crm.rows("SELECT source FROM inbound_rejects")
    assert aside["source"] == f"imap://{account}@127.0.0.1/INBOX;UID=122"


def test_nothing_in_the_mailbox_changes(connection: Connection, crm: Crm, imap_server: ImapServer) -> None:
    account = "unread@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, letter(), letter())

    assert visit(connection, imap_server.url(account)) == {"stored": 2}
    with imap_server.session(account) as server:
        server.select("INBOX")
        assert server.search(None, "UNSEEN") == ("OK", [b"1 2"])
        assert server.search(None, "RECENT") == ("OK", [b"1 2"])


def test_a_budget_ends_a_visit_and_the_next_one_goes_on(
    connection: Connection, crm: Crm, imap_server: ImapServer
) -> None:
    account = "long@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, *(letter() for _ in range(3)))

    assert visit(connection, imap_server.url(account), seconds=-1) == {}
    assert visit(connection, imap_server.url(account)) == {"stored": 3}


def test_a_visit_that_ends_between_two_mails_leaves_the_second_to_the_next(
    connection: Connection, crm: Crm, imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "between@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, *(letter(f"Hello {n}") for n in range(3)))

    with monkeypatch.context() as patch:  # the visit and its group begin in time, and the first mail takes a minute
        patch.setattr(workers.inbound.imap, "time", SimpleNamespace(monotonic=lambda: 0.0))
        patch.setattr(workers.inbound.ingest, "time", SimpleNamespace(monotonic=lambda: 61.0))
        assert visit(connection, imap_server.url(account)) == {"stored": 1}
    assert crm.rows("SELECT last_uid FROM imap_folders") == [{"last_uid": 1}]
    assert visit(connection, imap_server.url(account)) == {"stored": 2}


class Backwards(imaplib.IMAP4):
    """A session in which the server names the last message first, as RFC 9051 lets it."""

    def uid(self, command: str, *args: str) -> tuple[str, list[Any]]:
        status, answer = super().uid(command, *args)
        return status, answer[::-1]


def test_a_server_that_sorts_otherwise_costs_no_mail(
    connection: Connection, crm: Crm, imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "backwards@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, *(letter(f"Hello {n}") for n in range(3)))
    monkeypatch.setattr(imaplib, "IMAP4", Backwards)

    with monkeypatch.context() as patch:  # as above: there is time for one mail
        patch.setattr(workers.inbound.imap, "time", SimpleNamespace(monotonic=lambda: 0.0))
        patch.setattr(workers.inbound.ingest, "time", SimpleNamespace(monotonic=lambda: 61.0))
        assert visit(connection, imap_server.url(account)) == {"stored": 1}
    assert visit(connection, imap_server.url(account)) == {"stored": 2}


def test_a_polled_account_is_a_recipient_and_what_is_answered_counts_more(
    connection: Connection, crm: Crm, imap_server: ImapServer
) -> None:
    account = "shared@southwind.example"
    southwind = tenant_of(crm, account)
    ask = followed_up(crm)
    imap_server.deliver(account, letter(to="list@elsewhere.example"), letter("Yes!", answers=[ask.message_id]))

    assert visit(connection, imap_server.url(account)) == {"stored": 2}
    kept = {row["kind"]: row["tenant_id"] for row in crm.rows("SELECT kind, tenant_id FROM inbound_messages")}
    assert kept == {"message": southwind, "reply": ask.tenant}


def test_a_folder_that_counts_anew_is_read_from_its_start(
    connection: Connection, crm: Crm, imap_server: ImapServer
) -> None:
    account = "anew@northwind.example"
    tenant_of(crm, account)
    raws = [letter(f"Hello {n}") for n in range(3)]
    with imap_server.session(account) as server:
        server.create("Care")
    imap_server.deliver(account, *raws, folder="Care")
    url = imap_server.url(account, "Care")
    assert visit(connection, url) == {"stored": 3}

    crm.execute("UPDATE imap_folders SET uid_validity = uid_validity - 1")
    imap_server.deliver(account, letter("New"), folder="Care")
    assert visit(connection, url) == {"stored": 1, "duplicate": 3}
    assert visit(connection, url) == {}


def test_a_huge_message_is_set_aside_by_its_size(connection: Connection, crm: Crm, imap_server: ImapServer) -> None:
    account = "huge@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, letter(), letter("x" * 70 + "\n") + b"y" * 26 * 1024 * 1024, letter())

    assert visit(connection, imap_server.url(account)) == {"stored": 2, "aside": 1}
    [aside] = crm.rows("SELECT * FROM inbound_rejects")
    assert aside["reason"] == "too large: 26.0 MB, the limit is 25 MB"
    assert aside["raw_size"] > 26 * 1024 * 1024


@pytest.mark.parametrize("trouble", ["password", "folder", "port", "starttls"])
def test_a_server_that_cannot_be_used_is_named_without_the_password(
    connection: Connection, imap_server: ImapServer, trouble: str
) -> None:
    url = {
        "password": imap_server.url("care@northwind.example", password="wr0ng"),  # noqa: S106
        "folder": imap_server.url("care@northwind.example", "Nowhere"),
        "port": ImapServer(free_port()).url("care@northwind.example"),
        "starttls": imap_server.url("care@northwind.example").replace("=off", "=required"),
    }[trouble]

    with pytest.raises(ImapError, match=r"^care@northwind.example@127.0.0.1/") as problem:
        visit(connection, url)
    assert "p@ss" not in str(problem.value)
    assert "wr0ng" not in str(problem.value)


def test_the_task_goes_on_after_a_folder_that_fails(
    database_url: str, crm: Crm, imap_server: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "task@northwind.example"
    tenant_of(crm, account)
    imap_server.deliver(account, letter())
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("IMAP_URL", f"{ImapServer(free_port()).url(account)}, {imap_server.url(account)}")
    settings.cache_clear()

    assert task() == {"unreachable": 1, "stored": 1}


def test_without_a_mailbox_the_task_does_nothing() -> None:
    assert task() == {}


def test_a_server_that_drips_its_answers_holds_a_visit_no_longer_than_its_whole_time(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers.inbound.imap, "_TIMEOUT_SECONDS", 1)
    begun = time.monotonic()
    with (
        dripping([b"* OK hello\r\n"], b"* CAPABILITY IMAP4rev1\r\n") as port,
        pytest.raises(ImapError, match="care@127"),
    ):
        visit(connection, f"imap://care:secret@127.0.0.1:{port}/INBOX?starttls=off", seconds=0.1)
    assert time.monotonic() - begun < 10
