"""(g) The console: how long the server takes for each page, with a tenant of very many deals and actions."""

import http.client
import time
from typing import Any, Final
from urllib.parse import urlencode

from bench.api import served, timed
from bench.servers import SQL, empty_database, run_statements
from workers.db.migrate import migrate
from workers.db.session import Connection, connect
from workers.runtime.console_links import new_link

DEALS: Final = 1_000_000
ACTIONS: Final = 5_000_000  # they take minutes to be written
_MOST_MS: Final = 100
_CALLS: Final = 40
_PAGES: Final = {
    "today": "/console/",
    "actions": "/console/actions",
    "actions, an older page": "/console/actions?before={older}",
    "actions, suggestions": "/console/actions?status=suggested",
    "actions of a person": "/console/actions?contact=ann7@acme.example",
    "an action": "/console/actions/{action}",
    "a person's timeline": "/console/timeline/{tenant}/address/ann7@acme.example",
    "runs": "/console/runs",
    "compliance": "/console/compliance",
    "compliance, overdue": "/console/compliance?status=overdue",
    "insight": "/console/insight",
    "insight, deals": "/console/insight/deal_stage_velocity",
    "insight, outreach of a year": "/console/insight/outreach_effect?days=365",
    "insight, rows": "/console/insight/outreach_effect/rows?template=deal_follow_up&step=1&of=sent_count",
    "settings": "/console/settings",
    "a text": "/console/templates/deal_follow_up/en",
    "suppressions": "/console/suppressions",
    "tokens": "/console/tokens",
    "trail": "/console/trail",
    "trail of a person": "/console/trail?who=agent7@crm.example",
    "trail of a kind": "/console/trail?what=cancel",
}


def measure(server: str, deals: int = DEALS, actions: int = ACTIONS) -> list[dict[str, Any]]:
    """Return p50 and p95 in milliseconds of each page over HTTP, as the large tenant's manager is served."""
    with empty_database(server, "console") as url, connect(url) as connection:
        migrate(url)
        text = (SQL / "console.sql").read_text()
        run_statements(connection, text.replace("{deals}", str(deals)).replace("{actions}", str(actions)))
        with served(url) as port:
            cookie = _signed_in(connection, port)
            row = connection.execute(
                "SELECT tenant_id AS tenant, max(id) AS action FROM scheduled_actions"
                " WHERE tenant_id = md5('large')::uuid GROUP BY tenant_id"
            ).fetchone()
            assert row is not None
            places = {"tenant": row["tenant"], "action": row["action"], "older": row["action"] - actions // 2}
            return [_page(port, cookie, name, path.format(**places)) for name, path in _PAGES.items()]


def _page(port: int, cookie: str, name: str, path: str) -> dict[str, Any]:
    caller = http.client.HTTPConnection("127.0.0.1", port)

    def call() -> bytes:
        caller.request("GET", path, headers={"Cookie": cookie})
        answer = caller.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    while b"being counted" in call():  # what takes long is counted while nobody waits
        time.sleep(1)
    times = timed(call, _CALLS)
    return {"page": name, "ms": times, "holds": times["p50"] <= _MOST_MS}


def _signed_in(connection: Connection, port: int) -> str:
    """Sign the large tenant's manager in, and return the cookie."""
    base = f"http://127.0.0.1:{port}"
    row = connection.execute("SELECT id FROM profiles WHERE email = 'large@crm.example'").fetchone()
    assert row is not None
    token = new_link(connection, base, profile=row["id"]).partition("token=")[2]
    caller = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Origin": base, "Content-Type": "application/x-www-form-urlencoded"}
    caller.request("POST", "/console/enter", urlencode({"token": token}), headers)
    answer = caller.getresponse()
    answer.read()
    return str(answer.headers["Set-Cookie"]).partition(";")[0]
