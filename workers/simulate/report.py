"""A simulation as people and programs read it: plain values, the same for the same outcome whatever the run."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from workers.simulate.outcome import Entry, Outcome
from workers.simulate.plan import Plan

# What is counted of entries, under the names of a report.
MEASURES: Final = {
    "message": "messages",
    "task": "tasks",
    "case": "cases",
    "forward": "forwards",
    "answer": "answers",
    "refused": "refused",
    "put off": "put_off",
    "passed over": "passed_over",
}
_REASONED: Final = ("refused", "put off", "passed over")
_INTERNAL: Final = ("task", "case", "forward")


def report_of(plan: Plan, outcome: Outcome, names: Mapping[UUID, str]) -> dict[str, Any]:
    """Return what a simulation found, in total and per day, engine, tenant and person.

    Args:
        plan: what was simulated.
        outcome: what happened.
        names: of the tenants.
    """
    entries = outcome.entries
    mail = [entry for entry in entries if entry.what not in _INTERNAL and entry.person]
    internal = [entry for entry in entries if entry.what in _INTERNAL]

    def named(tenant: UUID | None) -> dict[str, Any]:
        return {"tenant_id": tenant, "tenant": names[tenant] if tenant else None}

    return {
        "from": plan.since,
        "to": plan.until,
        "reply_rate": plan.reply_rate,
        "seed": plan.seed,
        "settings": dict(plan.settings),
        "total": _counts(entries),
        "days": [{"day": day} | _counts(some) for day, some in _grouped(entries, lambda e: e.day)],
        "weeks": [
            {"monday": monday} | _counts(some)
            for monday, some in _grouped(entries, lambda e: e.day - timedelta(days=e.day.weekday()))
        ],
        "engines": [
            {"engine": engine, "slots": outcome.slots[engine]} | _counts(some)
            for engine, some in _grouped(entries, lambda e: e.engine)
        ],
        "tenants": [
            named(tenant) | _counts(some)
            for tenant, some in _grouped([e for e in entries if e.tenant], lambda e: e.tenant)
        ],
        "people": [
            named(tenant) | {"person": person} | _counts(some)
            for (tenant, person), some in _grouped(mail, lambda e: (e.tenant, e.person))
        ],
        "colleagues": [
            named(tenant) | {"person": person} | {MEASURES[what]: _sum(some, what) for what in _INTERNAL}
            for (tenant, person), some in _grouped(internal, lambda e: (e.tenant, e.person))
        ],
        "texts": [
            {"engine": engine, "what": what, "text": text, "n": _sum(some)}
            for (engine, what, text), some in _grouped(
                [e for e in entries if e.what in ("message", *_INTERNAL)], lambda e: (e.engine, e.what, e.detail)
            )
        ],
        "reasons": [
            {"engine": engine, "what": what, "reason": reason, "n": _sum(some)}
            for (engine, what, reason), some in _grouped(
                [e for e in entries if e.what in _REASONED], lambda e: (e.engine, e.what, e.detail)
            )
        ],
        "state": [
            named(row["tenant_id"]) | {name: row[name] for name in ("about", "state", "n")} for row in outcome.state
        ],
        "failures": [
            {"engine": engine} | named(tenant) | {"error": error, "n": n}
            for (engine, tenant, error), n in outcome.failures.items()
        ],
        "entries": [
            {"day": e.day} | named(e.tenant)
            | {"engine": e.engine, "person": e.person, "what": e.what, "detail": e.detail, "n": e.n}
            for e in entries
        ],
    }  # fmt: skip


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a second report has more of than a first one, in total and per day, engine and tenant."""
    return {
        "total": _less([before["total"]], [after["total"]])[0],
        **{
            name: [row for row in _less(before[name], after[name], *keys) if any(row[m] for m in MEASURES.values())]
            for name, keys in (("days", ("day",)), ("engines", ("engine",)), ("tenants", ("tenant_id", "tenant")))
        },
    }


def _less(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], *keys: str) -> list[dict[str, Any]]:
    left, right = ({tuple(row[key] for key in keys): row for row in rows} for rows in (before, after))
    nothing = dict.fromkeys(MEASURES.values(), 0)
    return [
        dict(zip(keys, key, strict=True))
        | {name: right.get(key, nothing)[name] - left.get(key, nothing)[name] for name in MEASURES.values()}
        for key in sorted(left | right, key=lambda key: [str(part) for part in key])
    ]


def _counts(entries: Sequence[Entry]) -> dict[str, int]:
    """Return how many there are of each measure, to how many people, and how many one of them got in a day."""
    daily = Counter[tuple[Any, ...]]()
    for entry in entries:
        if entry.what == "message":
            daily[entry.tenant, entry.person, entry.day] += entry.n
    return {name: _sum(entries, what) for what, name in MEASURES.items()} | {
        "people": len({key[:2] for key in daily}),
        "most_to_one_person_in_a_day": max(daily.values(), default=0),
    }


def _sum(entries: Iterable[Entry], what: str | None = None) -> int:
    return sum(entry.n for entry in entries if what is None or entry.what == what)


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], Hashable]) -> list[tuple[Any, list[Entry]]]:
    """Return the entries of each key, in the keys' order."""
    groups = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return sorted(groups.items(), key=lambda group: str(group[0]))
