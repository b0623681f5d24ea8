"""If these fail, one hostile message, task or receiver keeps everybody else's mail back, or uses up its tries."""

from collections import Counter
from itertools import count
from typing import Any, Self
from uuid import UUID

import pytest
from jinja2 import ChoiceLoader, DictLoader
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm
from tests.mail import MailServer
from tests.outbox import VARIABLES
from workers import clock
from workers.db.session import Connection
from workers.delivery import texts
from workers.delivery.channels import Channel, Outcome, Sent
from workers.delivery.deliver import channel_for, deliver
from workers.delivery.message import Letter
from workers.settings import Settings

DEEP: Any = "bottom"
for _ in range(300):
    DEEP = [DEEP]
HOSTILE: dict[str, dict[str, Any]] = {
    "an address of parentheses": {"recipient": "(" * 300 + "@acme.example"},  # as many as the column holds
    "an address of quotes": {"recipient": '"\\"' * 100 + "@acme.example"},
    "an address that hides a header": {"recipient": "=?utf-8?q?a=0ABcc:=20all?=@acme.example"},
    "an endless domain": {"recipient": f"ann@{'ü' * 200}.example"},
    "a template that includes itself": {"template": "snake"},
    "a template that is none": {"template": "../" * 100},
    "variables that are no variables": {"variables": Jsonb(["deal"])},
    "a variable without a bottom": {"template": "deep", "variables": Jsonb(VARIABLES | {"deal": DEEP})},
}


@pytest.fixture(autouse=True)
def _templates(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = texts._environment()
    own = DictLoader(
        {
            "snake.txt.j2": '{% include "snake.txt.j2" %}',
            "deep.txt.j2": "{% macro m(d) %}{{ m(d[0]) }}{% endmacro %}{{ m(deal) }}",
        }
    )
    assert environment.loader is not None
    monkeypatch.setattr(environment, "loader", ChoiceLoader([own, environment.loader]))


def run(connection: Connection, channel: Channel, settings: Settings) -> Counter[str]:
    with clock.at(NOW):
        return deliver(connection, channel, settings)


def harmless(crm: Crm, tenants: list[UUID], number: int = 50, **values: Any) -> list[int]:
    return [crm.action(tenant, variables=Jsonb(VARIABLES), **values) for _ in range(number) for tenant in tenants]


def row_of(crm: Crm, action: int) -> dict[str, Any]:
    (row,) = crm.actions(id=action)
    return row


@pytest.mark.parametrize("trick", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_is_named_and_the_hundred_of_two_tenants_leave(
    connection: Connection, crm: Crm, server: MailServer, trick: dict[str, Any]
) -> None:
    tenants = [crm.tenant("Northwind"), crm.tenant("Southwind")]
    first = harmless(crm, tenants, 2)
    hostile = crm.action(tenants[0], **{"variables": Jsonb(VARIABLES)} | trick)
    ids = first + harmless(crm, tenants, 48)
    settings = Settings(smtp_url=server.url)

    run(connection, channel_for(settings), settings)

    sent = crm.actions(status="sent")
    assert [row["id"] for row in sent] == ids
    assert {row["attempts"] for row in sent} == {1}
    assert len(server.received) == 100
    named = row_of(crm, hostile)
    assert named["status"] in ("failed", "scheduled")
    assert named["last_error"]
    assert (named["attempts"], named["lease_owner"]) == (1, None)


@pytest.mark.parametrize(
    "name", ["=?utf-7?q?+2AA-?=", "=?utf-8?q?x=0AFrom:=20ceo@acme.example=0A=0A<h1>?=", "(" * 3000]
)
def test_a_tenant_with_a_hostile_name_sends_with_its_own_headers(
    connection: Connection, crm: Crm, server: MailServer, name: str
) -> None:
    tenants = [crm.tenant(name), crm.tenant("Southwind")]
    harmless(crm, tenants, 2)
    settings = Settings(smtp_url=server.url)

    assert run(connection, channel_for(settings), settings) == {"sent": 4}
    assert {len(message.get_all("From", [])) for _, message in server.received} == {1}
    assert len({tuple(message.keys()) for _, message in server.received}) == 1


def test_a_receiver_whose_words_no_database_can_hold_is_quoted_all_the_same(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenants = [crm.tenant("Northwind"), crm.tenant("Southwind")]
    hostile = crm.action(tenants[0], variables=Jsonb(VARIABLES), recipient="bob@acme.example")
    harmless(crm, tenants)
    server.answer_recipient = lambda address: "550 no \x00 such " + "user" * 50 if "bob" in address else None
    settings = Settings(smtp_url=server.url)

    assert run(connection, channel_for(settings), settings) == {"sent": 100, "failed": 1}
    assert row_of(crm, hostile)["last_error"].startswith("550 no � such user")


class Broken:
    """A channel that breaks at its third message with whatever it is given, and takes all others."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._count = count(1)
        self.taken: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def another(self) -> Self:
        return self

    def send(self, letter: Letter) -> Outcome:
        if next(self._count) == 3:
            raise self._error
        self.taken.append(letter.message_id)
        return Sent()


@pytest.mark.parametrize("error", [RecursionError(), ValueError("strange"), LookupError("encoding"), MemoryError()])
def test_a_channel_that_breaks_at_one_message_is_used_for_the_others(
    connection: Connection, crm: Crm, error: Exception
) -> None:
    harmless(crm, [crm.tenant("Northwind"), crm.tenant("Southwind")])

    assert run(connection, Broken(error), Settings()) == {"sent": 99, "scheduled": 1}
    (named,) = crm.actions(status="scheduled")
    assert type(error).__name__ in named["last_error"]


@pytest.mark.parametrize("end", [SystemExit(1), KeyboardInterrupt()])
def test_a_pass_that_ends_in_the_middle_gives_back_whole_what_it_did_not_try(
    connection: Connection, crm: Crm, end: BaseException
) -> None:
    harmless(crm, [crm.tenant("Northwind"), crm.tenant("Southwind")], 5)

    for _ in range(3):  # however often it happens
        with pytest.raises(type(end)):
            run(connection, Broken(end), Settings())

    assert Counter(row["status"] for row in crm.actions()) == {"sent": 6, "sending": 3, "scheduled": 1}
    (untried,) = crm.actions(status="scheduled")
    assert (untried["attempts"], untried["lease_owner"], untried["lease_until"]) == (0, None, None)


def test_what_cannot_be_recorded_as_sent_is_named_and_not_sent_again(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    hostile = harmless(crm, [crm.tenant("Northwind"), crm.tenant("Southwind")])[0]
    crm.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for it'; END $$"
    )
    crm.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON scheduled_actions FOR EACH ROW"
        f" WHEN (NEW.id = {hostile} AND NEW.status = 'sent') EXECUTE FUNCTION refuse()"
    )
    settings = Settings(smtp_url=server.url)

    assert run(connection, channel_for(settings), settings) == {"sent": 99, "failed": 1}
    assert run(connection, channel_for(settings), settings) == {}
    assert len(server.received) == 100
    assert "no room for it" in row_of(crm, hostile)["last_error"]


@pytest.mark.parametrize(
    "trick", [HOSTILE[name] for name in HOSTILE if "recipient" not in HOSTILE[name]], ids=lambda trick: str(list(trick))
)
def test_a_hostile_task_is_named_and_the_hundred_of_two_tenants_are_filed(
    connection: Connection, crm: Crm, trick: dict[str, Any]
) -> None:
    tenants = [crm.tenant("Northwind"), crm.tenant("Southwind")]
    hostile = crm.action(tenants[0], kind="task", **{"variables": Jsonb(VARIABLES)} | trick)
    ids = harmless(crm, tenants, kind="task", template="deal_handover")
    settings = Settings()

    assert run(connection, channel_for(settings), settings) == {"filed": 101}

    assert [row["id"] for row in crm.actions(status="sent")] == [hostile, *ids]
    assert {row["attempts"] for row in crm.actions()} == {1}
    told = crm.rows("SELECT description FROM tasks WHERE description LIKE 'The text could not be written%%'")
    assert len(told) == 1
