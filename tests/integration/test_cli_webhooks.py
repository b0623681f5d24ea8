"""If these fail, an operator cannot say who is told of what, or whoever looks over his shoulder can forge an event."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crm import NOW, Crm, days
from tests.provider_server import ProviderServer, Said
from tests.shell import fleet, one_line
from tests.webhooks import EVENTS, certificate, endpoint, receiving, verified
from workers.db.session import Connection

ROOT = Path(__file__).parents[2]


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("FLEET_WEBHOOK_ALLOW_PRIVATE", "yes")
    with receiving(pem) as server:
        yield server


def test_an_endpoint_is_added_tested_switched_and_removed(
    crm: Crm, database_url: str, receiver: ProviderServer
) -> None:
    crm.tenant("Northwind")
    added = fleet(database_url, "webhooks", "add", "Northwind", receiver.url, "--by", "Bo")
    assert added.returncode == 0, added.stderr
    number, secret = re.findall(r"endpoint (\S+) is|secret: (\S+)", added.stdout)
    listed = json.loads(fleet(database_url, "webhooks", "list", "--json").stdout)
    assert [(row["endpoint_id"], row["url"], row["events"]) for row in listed] == [
        (number[0], receiver.url, list(EVENTS))
    ]
    assert secret[1] not in fleet(database_url, "webhooks", "list").stdout, "it is shown once"

    tested = fleet(database_url, "webhooks", "test", number[0])
    assert tested.stdout.strip() == f"{receiver.url} took the event"
    assert verified(receiver.calls[0], secret[1])["type"] == "webhook.test"
    receiver.script = [Said(500)]
    refused = fleet(database_url, "webhooks", "test", receiver.url)
    assert one_line(refused).endswith("did not take the event: it answered 500 (Internal Server Error)")

    assert fleet(database_url, "webhooks", "off", number[0], "--by", "Bo").stdout == f"{receiver.url} is off\n"
    assert "off: switched off by Bo" in fleet(database_url, "webhooks", "list").stdout
    assert fleet(database_url, "webhooks", "on", number[0]).stdout == f"{receiver.url} is on\n"
    assert fleet(database_url, "webhooks", "remove", number[0], stdin=b"n\n").returncode == 1
    fleet(database_url, "webhooks", "remove", number[0], "--yes", "--by", "Bo")
    assert json.loads(fleet(database_url, "webhooks", "list", "--json").stdout) == []

    history = json.loads(fleet(database_url, "settings", "history", "--tenant", "Northwind", "--json").stdout)
    assert [(row["after"], row["decided_by"]) for row in history if row["decided_by"] == "Bo"] == [
        ("removed", "Bo"),
        ("off", "Bo"),
        (", ".join(EVENTS), "Bo"),
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example/", "must be a URL that starts with https://"),
        ("https://127.0.0.1/", "127.0.0.1 is 127.0.0.1, which is not on the public internet"),
        ("https://localhost/", "which is not on the public internet"),
        ("https://nowhere.invalid/", "the URL is of no use"),
        ("https://me:secret@hooks.example/", "no password"),
    ],
)
def test_an_address_that_nobody_may_be_told_at_is_refused_at_once(
    crm: Crm, database_url: str, url: str, words: str
) -> None:
    crm.tenant("Northwind")
    refused = fleet(database_url, "webhooks", "add", "Northwind", url)

    assert words in one_line(refused)
    assert crm.rows("SELECT * FROM webhook_endpoints") == []


def test_a_second_endpoint_at_one_address_and_an_event_that_is_none_are_refused(
    crm: Crm, database_url: str, receiver: ProviderServer
) -> None:
    crm.tenant("Northwind")
    add = ["webhooks", "add", "Northwind", receiver.url]
    assert "no event 'sent': there are action.created" in one_line(fleet(database_url, *add, "--events", "sent"))
    assert fleet(database_url, *add, "--events", "action.sent, quote.expired").returncode == 0
    assert "has an endpoint at this URL already" in one_line(fleet(database_url, *add))
    assert crm.rows("SELECT events FROM webhook_endpoints") == [{"events": ["action.sent", "quote.expired"]}]


def test_what_was_given_up_is_tried_again_when_an_operator_says_so(
    connection: Connection, crm: Crm, database_url: str, receiver: ProviderServer
) -> None:
    tenant = crm.tenant("Northwind")
    endpoint(crm, tenant, receiver.url, "action.created")
    crm.action(tenant)
    crm.read("sweep_webhooks", at=NOW + days(6))
    [listed] = json.loads(fleet(database_url, "webhooks", "list", "--tenant", "Northwind", "--json").stdout)
    assert (listed["waiting"], listed["dead"]) == (1, 1), "the task about it is an event, too"

    assert fleet(database_url, "webhooks", "retry", receiver.url).stdout == "1 events are tried again\n"
    [listed] = json.loads(fleet(database_url, "webhooks", "list", "--json").stdout)
    assert (listed["waiting"], listed["dead"]) == (2, 0)


def test_the_reference_names_every_event(crm: Crm) -> None:
    page = (ROOT / "docs" / "reference" / "webhooks.md").read_text()
    described = re.findall(r"^\| `(\w+\.\w+)` \|", page, re.MULTILINE)

    assert tuple(crm.one("SELECT webhook_events() AS known")["known"]) == EVENTS
    assert described == [*EVENTS, "webhook.test"]
