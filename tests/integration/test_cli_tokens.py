"""If these fail, an operator cannot let a program in or keep it out, or a token can be read where it must not be."""

import json

from tests.crm import Crm
from tests.shell import fleet, one_line
from workers.runtime.tokens import token_hash


def test_a_token_is_shown_once_and_what_is_kept_of_it_opens_nothing(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant("Northwind")
    wish = ["crm-sync", "--tenant", "Northwind", "--role", "agent", "--days", "30", "--by", "Bo"]
    made = fleet(database_url, "tokens", "create", *wish)
    token = made.stdout.splitlines()[-1]
    assert token.startswith("fleet_"), made.stderr
    [kept] = crm.rows("SELECT * FROM api_tokens")
    assert (kept["token_hash"], kept["tenant_id"], kept["role"]) == (token_hash(token), tenant, "agent")
    assert token not in json.dumps(kept, default=str)

    operator = fleet(database_url, "tokens", "create", "ops", "--role", "operator")
    assert operator.returncode == 0, operator.stderr
    [listed] = json.loads(fleet(database_url, "tokens", "list", "--tenant", "Northwind", "--json").stdout)
    assert (listed["name"], listed["state"], listed["made_by"], listed["seen_at"]) == ("crm-sync", "good", "Bo", None)
    everybodys = fleet(database_url, "tokens", "list").stdout
    assert "the operator's" in everybodys
    assert token not in everybodys

    assert fleet(database_url, "tokens", "revoke", str(kept["id"]), "--by", "Bo").stdout == "it is revoked\n"
    again = fleet(database_url, "tokens", "revoke", str(kept["id"]))
    assert (again.returncode, "no token" in one_line(again)) == (2, True)
    assert "revoked" in fleet(database_url, "tokens", "list").stdout
    assert [(row["who"], row["what"]) for row in crm.rows("SELECT who, what FROM console_audit WHERE who = 'Bo'")] == [
        ("Bo", "makes a token"), ("Bo", "revokes a token"),
    ]  # fmt: skip


def test_what_makes_no_sense_of_a_token_is_refused_in_one_line(crm: Crm, database_url: str) -> None:
    crm.tenant("Northwind")
    for arguments, said in (
        (["x"], "for one tenant, or for all of them"),
        (["x", "--tenant", "Northwind", "--role", "operator"], "not both"),
        (["x", "--tenant", "Northwind", "--role", "king"], "there are reader, agent, manager, operator"),
        ([" ", "--tenant", "Northwind"], "needs a name"),
        (["x", "--tenant", "Nobody"], "no tenant"),
    ):
        refused = fleet(database_url, "tokens", "create", *arguments)
        assert (refused.returncode, said in one_line(refused)) == (2, True), refused.stderr
    assert crm.rows("SELECT FROM api_tokens") == []
