"""A tenant's settings (schema/functions/tenant_settings.sql): read as an operator writes them, and set."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from workers.db.session import Connection, transaction
from workers.errors import UnknownNameError


def read_settings(texts: Iterable[str]) -> dict[str, str]:
    """Return the values by their names, of texts such as `deals.mode=review`.

    Raises:
        UnknownNameError: one is not NAME=VALUE, or names what another one names.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name in values:
            raise UnknownNameError(f"{text!r} is not NAME=VALUE, said once")
        values[name] = value
    return values


def set_settings(
    connection: Connection, tenant: UUID, values: Mapping[str, str], by: str, why: str | None
) -> list[dict[str, Any]]:
    """Set a tenant's settings, all of them or none; returns name, before and after of those that changed.

    Args:
        connection: outside a transaction, or inside one that is taken part in.
        tenant: whose they are.
        values: by name; an empty text sets back to the default.
        by: who decides.
        why: kept with who decided it.

    Raises:
        UnknownNameError: there is no such setting, or it does not take the value.
    """
    try:
        with transaction(connection):
            return connection.execute(
                "SELECT * FROM set_tenant_settings(%s, %s, %s, %s)", [tenant, Jsonb(dict(values)), by, why]
            ).fetchall()
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise UnknownNameError(f"{error.diag.message_primary}") from None
