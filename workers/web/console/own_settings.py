"""What is set for a tenant, and who set it."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from starlette.responses import Response

from workers.web.console.door import Visit

_MOST_CHANGES: Final = 50
_DAYS: Final = 30  # that what other limits would mean is reckoned for
_LIMIT: Final = re.compile(r"deals\..+\.(max_days_before_stale|follow_up_interval_days|max_follow_ups)")
_MOST_DIGITS: Final = 3


def show(visit: Visit) -> Response:
    """Show every setting of the tenant as it holds now, and the latest changes."""
    return _page(visit, {})


def save(visit: Visit) -> Response:
    """Set what was changed in the form, all of it or nothing."""
    if visit.person.tenant is None:
        return _page(visit, {})
    known = {row["name"]: row for row in visit.called("console_settings") if row["settable"]}
    said = {name: visit.written(name).strip() for name in known if name in visit.form}
    wanted = {name: value for name, value in said.items() if value != (known[name]["value"] or "").strip()}
    if not wanted:
        return visit.go("/console/settings", "nothing", what="")
    try:
        with visit.connection.transaction():
            changed = visit.called("console_set_settings", Jsonb(wanted), visit.person.who, visit.said("why") or None)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        return _page(visit, wanted, wrong=str(error.diag.message_primary))
    return visit.go(
        "/console/settings", "changed", len(changed), what="sets", item=", ".join(row["name"] for row in changed)
    )


def what_if(visit: Visit) -> Response:
    """Show how many follow-ups other limits of stages would make; nothing is changed."""
    said = {name: value[-1].strip() for name, value in visit.form.items() if _LIMIT.fullmatch(name)}
    limits: dict[str, dict[str, int]] = {}
    for name, value in said.items():
        stage, _, limit = name.removeprefix("deals.").rpartition(".")
        if value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
            limits.setdefault(stage, {})[limit] = int(value)
        elif value:
            return _page(visit, said, doubt=f"{name} takes a number of at most {_MOST_DIGITS} digits.")
    if visit.person.tenant is None:
        return _page(visit, {})
    try:
        with visit.connection.transaction():
            stages = visit.called("console_what_if", Jsonb(limits), _DAYS)
    except psycopg.errors.QueryCanceled:
        return _page(visit, said, doubt="There are too many deals to tell within a moment.")
    return _page(visit, said, stages=stages)


def _page(
    visit: Visit, wanted: dict[str, str], *, wrong: str = "", stages: Sequence[dict[str, Any]] = (), doubt: str = ""
) -> Response:
    rows: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    if visit.person.tenant is not None:
        rows = [
            row | {"shown": wanted.get(row["name"], row["value"] or ""), "is_limit": _LIMIT.fullmatch(row["name"])}
            for row in visit.called("console_settings")
        ]
        changes = visit.called("console_setting_history", _MOST_CHANGES)
    groups = [
        {"meaning": meaning, "takes": takes, "rows": list(group)}
        for (meaning, takes), group in groupby(rows, key=lambda row: (row["meaning"], row["takes"]))
    ]
    return visit.show(
        "settings.html.j2", 400 if wrong else 200, groups=groups, changes=changes, wrong=wrong, stages=stages,
        days=_DAYS, doubt=doubt,
    )  # fmt: skip
