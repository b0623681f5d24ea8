"""`/api/settings`: what is set for a tenant; whoever changes it says which state he saw."""

import hashlib
import json
from typing import Annotated, Any, Final

from fastapi import Header
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from workers.web.api.calls import Call

_MOST: Final = 500
_LONGEST: Final = 10_000

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="the ETag of the settings that this is about; * for whichever")
]


class Setting(BaseModel):
    """A setting as it holds now."""

    name: str
    value: str | None
    is_set: bool = Field(description="whether somebody has set it; else it is what holds where nobody has")
    settable: bool = Field(description="whether the caller may set it")
    takes: str
    meaning: str


class Settings(BaseModel):
    """Every setting of a tenant."""

    items: list[Setting]


class Changes(BaseModel):
    """Settings by their names; an empty text sets back to what holds where nobody has set anything."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Annotated[str, Field(max_length=_LONGEST)]] = Field(max_length=_MOST)
    why: Annotated[str, Field(max_length=500)] | None = None


def show_settings(call: Call) -> Any:
    """Show every setting of the tenant as it holds now, what it takes and what it means."""
    return _shown(call)


def change_settings(call: Call, changes: Changes, if_match: IfMatch = None) -> Any:
    """Set some of the tenant's settings, all that are named or none. 412: somebody changed them meanwhile."""
    _require_same(call, if_match)
    return _set(call, changes.values, changes.why)


def replace_settings(call: Call, changes: Changes, if_match: IfMatch = None) -> Any:
    """Set all of the tenant's settings that the caller may set: what is not named is set back. 412: as for PATCH."""
    before = _require_same(call, if_match)
    unset = {one["name"]: "" for one in before if one["settable"] and one["is_set"]}
    return _set(call, unset | changes.values, changes.why)


def _set(call: Call, values: dict[str, str], why: str | None) -> Any:
    changed = call.called_for_one("console_set_settings", Jsonb(values), call.who, why) if values else []
    if changed:
        call.did("sets", ", ".join(row["name"] for row in changed))
    return _shown(call)


def _shown(call: Call) -> dict[str, Any]:
    rows = _read(call)
    call.headers["ETag"] = _etag(rows)
    return {"items": rows}


def _read(call: Call) -> list[dict[str, Any]]:
    return call.called_for_one("console_settings")


def _require_same(call: Call, if_match: str | None) -> list[dict[str, Any]]:
    """Return the settings as they are, which nobody else changes here until this transaction ends.

    Raises:
        HTTPException: 428, the caller does not say which he saw; 412, he saw others.
    """
    if if_match is None:
        raise HTTPException(428, "The header If-Match must bear the ETag of the settings that this is about.")
    call.connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('settings ' || %s, 0))", [call.one_tenant])
    rows = _read(call)
    if if_match.strip() not in ("*", _etag(rows)):
        raise HTTPException(412, "Somebody has changed the settings meanwhile: read them again.")
    return rows


def _etag(rows: list[dict[str, Any]]) -> str:
    held = json.dumps([[row["name"], row["value"], row["is_set"]] for row in rows])
    return f'"{hashlib.sha256(held.encode()).hexdigest()[:32]}"'
