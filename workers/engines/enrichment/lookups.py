"""Enrichment's only step outside a transaction: ask providers about contacts.

Claimed in one short transaction, asked with no lock held, settled in a second one. A worker that is lost in
between leaves rows in status processing; they come back after half an hour, and what was reserved counts as spent.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from workers import clock
from workers.backoff import next_attempt
from workers.db.session import Connection, transaction
from workers.engines.base import Tally
from workers.insight.contact_values import storable
from workers.providers.base import Answer, Found, NoMatch, Off, Outcome, Provider, Refused, Request, Unavailable, Window
from workers.providers.registry import providers
from workers.settings import settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Rows one provider is to be asked about, and how often it failed in a row until now."""

    name: str
    provider: Provider
    rows: Sequence[dict[str, Any]]
    failures: int


def ask_providers(connection: Connection, tenant: UUID, limit: int) -> Tally:
    """Make at most one look-up per provider for a tenant.

    Args:
        connection: outside any transaction.
        tenant: whose queue.
        limit: most rows that one statement closes or postpones.
    """
    tally = Tally()
    claims = []
    with transaction(connection):
        for name, provider in providers(settings()).items():
            if isinstance(provider, Off):
                closed = _close(connection, tenant, limit, name, provider)
                _note(tally, provider.reason, closed)
                continue
            rows = _claim(connection, tenant, limit, name, provider)
            if rows and rows[0]["queue_id"] is None:
                _note(tally, rows[0]["reason"], rows[0]["postponed"])
            elif rows:
                claims.append(_Claim(name, provider, rows, rows[0]["failures"]))
    for claim in claims:
        answer = _ask(claim)
        results = [_result(row, outcome, claim) for row, outcome in zip(claim.rows, answer.outcomes, strict=True)]
        with transaction(connection):
            _settle(connection, tenant, claim, answer, results)
        for result in results:
            if result["error"]:
                _note(tally, result["error"], 1)
            else:
                tally.note("due", "look-up", 1)
                tally.note("acted", f"{claim.name} found", 1)
    return tally


def _note(tally: Tally, reason: str, n: int) -> None:
    tally.note("due", "look-up", n)
    tally.note("skipped", reason, n)


def _close(connection: Connection, tenant: UUID, limit: int, name: str, off: Off) -> int:
    statement = "SELECT skip_lookups(%s, %s, %s, %s) AS n"
    row = connection.execute(statement, [tenant, name, limit, off.reason]).fetchone()
    return row["n"] if row else 0


def _claim(connection: Connection, tenant: UUID, limit: int, name: str, provider: Provider) -> list[dict[str, Any]]:
    statement = "SELECT * FROM claim_lookups(%s, %s, %s, %s, %s)"
    parameters = [tenant, name, provider.batch_size, limit, provider.daily_credits]
    return connection.execute(statement, parameters).fetchall()


def _settle(
    connection: Connection, tenant: UUID, claim: _Claim, answer: Answer, results: Sequence[dict[str, Any]]
) -> None:
    claimed_at, unused = claim.rows[0]["claimed_at"], len(claim.rows) - answer.credits
    asked = any(row["contact_id"] is not None for row in claim.rows)
    limits = Jsonb(_limits(answer, results, claim.failures)) if asked else None
    connection.execute(
        "SELECT settle_lookups(%s, %s, %s, %s, %s, %s)",
        [tenant, claim.name, claimed_at, unused, Jsonb(results), limits],
    )


def _ask(claim: _Claim) -> Answer:
    """Ask about those rows that have a contact: an answer about a stranger could not be merged."""
    known = [row for row in claim.rows if row["contact_id"] is not None]
    requests = [Request(row["email"], row["first_name"], row["last_name"], row["company"]) for row in known]
    answer = _lookup(claim.provider, requests)
    answered = iter(answer.outcomes)
    stranger = Refused("no contact with this address")
    outcomes = [next(answered) if row["contact_id"] is not None else stranger for row in claim.rows]
    return Answer(outcomes, answer.credits, answer.windows)


def _lookup(provider: Provider, requests: Sequence[Request]) -> Answer:
    """Ask a provider; a request that it cannot bear is found by asking one by one, and fails by itself."""
    if not requests:
        return Answer((), 0)
    try:
        return provider.lookup(requests)
    except Exception as error:  # whatever one contact's data provokes must not cost the others theirs
        logger.exception("a provider cannot be asked about %d contacts at once", len(requests))
        if len(requests) == 1:
            return Answer((Refused(f"it cannot be asked about: {type(error).__name__}: {error}"),), 0)
    return _one_by_one(provider, requests)


def _one_by_one(provider: Provider, requests: Sequence[Request]) -> Answer:
    """Ask about each alone, until there is no answer: then there is none for the others either."""
    outcomes: list[Outcome] = []
    spent = 0
    windows: Sequence[Window] = ()
    for request in requests:
        answer = _lookup(provider, [request])
        outcomes += answer.outcomes
        spent += answer.credits
        windows = answer.windows or windows
        if isinstance(outcomes[-1], Unavailable):
            outcomes += [outcomes[-1]] * (len(requests) - len(outcomes))
            break
    return Answer(outcomes, spent, windows)


def _result(row: dict[str, Any], outcome: Outcome, claim: _Claim) -> dict[str, Any]:
    result = {"queue_id": str(row["queue_id"]), "status": "skipped", "error": None, "data": None, "retry_at": None}
    match outcome:
        case Found(data):
            return result | {"status": "pending", "data": storable(data)}  # the next batch merges it
        case NoMatch():
            return result | {"error": "no match"}
        case Refused(reason):
            return result | {"status": "skipped" if row["contact_id"] is None else "failed", "error": reason}
        case Unavailable(reason, retry_at):
            again = retry_at or _after_failures(claim.failures)
            return result | {"status": "pending", "error": reason, "retry_at": again.isoformat()}


def _after_failures(failures: int) -> datetime:
    return next_attempt(clock.now(), failures + 1, random.random())  # noqa: S311  # jitter, no secret


def _limits(answer: Answer, results: Sequence[dict[str, Any]], failures: int) -> list[dict[str, Any]]:
    """Say what every worker has to know: what is left of the windows, and a pause if there was no answer."""
    limits: dict[str, dict[str, Any]] = {}
    for window in sorted(answer.windows, key=lambda window: -window.calls_left):
        limits[window.name] = {
            "calls_left": window.calls_left,
            "ends_at": window.ends_at.isoformat(),
            "reason": f"no calls left in this {window.name}",
            "failures": 0,
        }
    waiting = [result for result in results if result["retry_at"]]
    if waiting:
        limits["pause"] = {
            "calls_left": 0,
            "ends_at": max(result["retry_at"] for result in waiting),
            "reason": waiting[0]["error"],
            "failures": failures + 1,
        }
    return [{"window_name": name, **limit} for name, limit in limits.items()]
