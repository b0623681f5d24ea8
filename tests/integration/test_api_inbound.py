"""If these fail, anybody puts mail into a tenant's inbox over the API, or a provider's mail is lost or doubled."""

import base64
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.crm import Crm
from workers.delivery.webhook_call import new_secret, signature
from workers.settings import settings

PATH = "/api/inbound"
SECRET = new_secret()
MAIL = (
    b"From: Ann <ann@acme.example>\r\nTo: care@northwind.example\r\nMessage-ID: <1@acme.example>\r\n"
    b"Date: Mon, 02 Mar 2026 09:00:00 +0000\r\nSubject: Hello\r\n\r\nCould you call me back, please?\r\n"
)


@pytest.fixture
def tenant(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> UUID:
    monkeypatch.setenv("FLEET_INBOUND_SECRET", SECRET)
    settings.cache_clear()
    tenant = crm.tenant("Northwind")
    crm.execute("INSERT INTO tenant_mailboxes (tenant_id, address) VALUES (%s, 'care@northwind.example')", tenant)
    return tenant


def post(client: httpx.Client, body: bytes = MAIL, secret: str = SECRET, **changed: Any) -> httpx.Response:
    """Post a mail as a provider does; what is changed is changed after it was signed."""
    sent = int(changed.pop("at", time.time()))
    headers = {
        "Content-Type": "message/rfc822", "webhook-id": "msg_1", "webhook-timestamp": str(sent),
        "webhook-signature": signature(secret, "msg_1", sent, body),
    } | changed.pop("headers", {})  # fmt: skip
    return client.post(PATH, content=changed.pop("content", body), headers=headers)


def test_a_mail_goes_where_mail_of_imap_goes_once(client: httpx.Client, crm: Crm, tenant: UUID) -> None:
    first, again = post(client), post(client)

    assert (first.json()["outcome"], first.json()["kind"]) == ("stored", "message"), first.text
    assert again.json() == {"outcome": "duplicate", "message_id": None, "kind": None, "reason": None}
    [row] = crm.rows("SELECT id, tenant_id, subject FROM inbound_messages")
    assert (str(row["id"]), row["tenant_id"], row["subject"]) == (first.json()["message_id"], tenant, "Hello")


def test_what_cannot_be_taken_is_kept_aside_and_said(client: httpx.Client, crm: Crm, tenant: UUID) -> None:
    stranger = MAIL.replace(b"care@northwind.example", b"care@nobody.example")
    answer = post(client, stranger).json()
    assert (answer["outcome"], "unknown tenant" in answer["reason"]) == ("aside", True)
    assert [row["source"] for row in crm.rows("SELECT source FROM inbound_rejects")] == [PATH]


def test_mail_that_the_provider_did_not_sign_just_now_is_not_taken(
    client: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    now = time.time()
    refused = {
        "another secret": post(client, secret=new_secret()),
        "another body": post(client, content=MAIL + b"x"),
        "another id": post(client, headers={"webhook-id": "msg_2"}),
        "another time": post(client, headers={"webhook-timestamp": str(int(now) - 10)}),
        "long ago": post(client, at=now - 330),
        "far ahead": post(client, at=now + 330),
        "no signature": client.post(PATH, content=MAIL, headers={"Content-Type": "message/rfc822"}),
        "no version": post(client, headers={"webhook-signature": "v2,x v1,"}),
    }
    for why, answer in refused.items():
        assert answer.status_code == 401, why
    assert post(client, headers={"Content-Type": "text/plain"}).status_code == 415
    assert crm.rows("SELECT FROM inbound_messages") == []
    both = f"v1,{base64.b64encode(b'old').decode()} {signature(SECRET, 'msg_1', int(now), MAIL)}"
    assert post(client, at=now, headers={"webhook-signature": both}).status_code == 200, "while the secret is changed"


def test_a_large_mail_is_taken_and_one_that_nobody_reads_is_not(client: httpx.Client, crm: Crm, tenant: UUID) -> None:
    assert post(client, MAIL + b"x" * 200_000).json()["outcome"] == "stored"
    answer = post(client, MAIL + b"x" * (26 * 1024 * 1024))
    assert (answer.status_code, "25,600 KiB" in answer.json()["detail"]) == (413, True)


def test_without_a_secret_no_mail_is_taken(client: httpx.Client) -> None:
    answer = post(client)
    assert (answer.status_code, "FLEET_INBOUND_SECRET" in answer.json()["detail"]) == (503, True)
