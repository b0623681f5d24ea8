"""`/api/analytics/…`: what a tenant learns from its own last 90 days: the views of schema/functions/analytics.sql."""

from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import sql
from starlette.exceptions import HTTPException

from workers.web.api.calls import Call

_TIMEOUT: Final = "20s"  # they look through a quarter of a year


def view_read(view: str, said: str) -> Callable[..., dict[str, Any]]:
    """Return an operation that lists a view for the caller's tenant; to an operator, who named none, for all of them.

    Args:
        view: its name, which is the operation's too.
        said: what the operation does.
    """
    statement = sql.SQL(
        "SELECT * FROM {} WHERE %(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s ORDER BY 1, 2"
    ).format(sql.Identifier(view))

    def read(call: Call) -> dict[str, Any]:
        call.connection.execute("SELECT set_config('statement_timeout', %s, true)", [_TIMEOUT])
        try:
            return {"items": call.connection.execute(statement, {"tenant": call.tenant}).fetchall()}
        except psycopg.errors.QueryCanceled:
            raise HTTPException(503, "There is so much of this that it takes too long to tell.") from None

    read.__name__, read.__doc__ = view, said
    return read
