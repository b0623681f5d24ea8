"""(f) The API: its reads over HTTP against the same reads in SQL, and requests per second against an empty route."""

import http.client
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from uuid import UUID

import jwt
import psycopg

from bench.servers import filled_database

_SECRET: Final = "a-secret-of-the-benchmark-alone-32"  # noqa: S105  # signs nothing else
_ROUTES: Final = {
    "get_stalled_deals": ("GET", "/api/engines/deals/stalled"),
    "get_quotes_needing_followup": ("POST", "/api/engines/quotes/followup"),
    "get_compliance_due": ("GET", "/api/engines/compliance/due"),
    "get_pending_enrichment": ("GET", "/api/engines/enrichment/pending"),
    "get_unactioned_signals": ("GET", "/api/engines/signals/unactioned"),
}
_EMPTY: Final = ("GET", "/health")
_CALLS: Final = 1000
_CALLERS: Final = 4

Token = dict[str, str]
Route = tuple[str, str]


def measure(server: str) -> dict[str, Any]:
    """Return p50 and p95 in milliseconds of each read, in SQL and over HTTP, and requests per second of one process.

    Each call asks for 20 rows of a random tenant. SQL is asked as the workers ask, over HTTP a user of that tenant.
    """
    with filled_database(server, "reads") as (url, connection), served(url) as port:
        connection.execute("INSERT INTO profiles (tenant_id, full_name) SELECT id, 'Olive Owner' FROM tenants")
        users = {
            row["tenant_id"]: _token(row["id"]) for row in connection.execute("SELECT id, tenant_id FROM profiles")
        }
        reads = [_read(url, port, name, users) for name in _ROUTES]
        tokens = list(users.values())
        per_second = {
            "empty route": round(_per_second(port, _EMPTY, tokens)),
            "reads": round(statistics.mean(_per_second(port, route, tokens) for route in _ROUTES.values())),
        }
    return {"reads": reads, "requests_per_second": per_second, "holds": per_second["reads"] >= 500}


def _read(url: str, port: int, name: str, users: dict[UUID, Token]) -> dict[str, Any]:
    tenants = list(users)
    dice = random.Random(7)
    with psycopg.connect(url, autocommit=True) as connection:
        statement = f"SELECT * FROM {name}(%s, 20)"  # noqa: S608  # a name from above
        for tenant in tenants:  # every tenant once, so that no call waits for the disk
            connection.execute(statement, [tenant])
        in_sql = timed(lambda: connection.execute(statement, [dice.choice(tenants)]).fetchall())
    caller = http.client.HTTPConnection("127.0.0.1", port)
    over_http = timed(lambda: _call(caller, _ROUTES[name], users[dice.choice(tenants)]))
    caller.close()
    return {
        "read": name,
        "sql_ms": in_sql,
        "http_ms": over_http,
        "holds": over_http["p95"] - in_sql["p95"] <= 3,
    }


def timed(call: Callable[[], object], calls: int = _CALLS) -> dict[str, float]:
    """Return p50 and p95 in milliseconds of so many calls."""
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    cuts = statistics.quantiles(times, n=20)
    return {"p50": round(cuts[9], 2), "p95": round(cuts[18], 2)}


def _per_second(port: int, route: Route, tokens: list[Token]) -> float:
    def call() -> None:
        caller, dice = http.client.HTTPConnection("127.0.0.1", port), random.Random(7)
        for _ in range(_CALLS // _CALLERS):
            _call(caller, route, dice.choice(tokens))
        caller.close()

    callers = [threading.Thread(target=call) for _ in range(_CALLERS)]
    started = time.perf_counter()
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    return _CALLS / (time.perf_counter() - started)


def _call(caller: http.client.HTTPConnection, route: Route, token: Token) -> None:
    caller.request(*route, headers=token)
    answer = caller.getresponse()
    body = answer.read()
    assert answer.status == 200, body


def _token(user: UUID) -> Token:
    claims = {"sub": str(user), "aud": "authenticated", "exp": int(time.time()) + 3600}
    return {"Authorization": f"Bearer {jwt.encode(claims, _SECRET)}"}


@contextmanager
def served(url: str) -> Iterator[int]:
    """One process of `fleet web`, as soon as it answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "DATABASE_URL": url, "FLEET_HOME": home, "FLEET_WEB_PORT": str(port), "FLEET_JWT_SECRET": _SECRET,
        }  # fmt: skip
        with subprocess.Popen([sys.executable, "-m", "workers", "web"], env=environment) as process:
            try:
                _wait_for(port)
                yield port
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            return _call(http.client.HTTPConnection("127.0.0.1", port), _EMPTY, {})
        except OSError:
            assert time.monotonic() < until, "the web process does not answer"
            time.sleep(0.05)
