"""Internal actions: tasks and cases for the tenant's own people, written in the transaction that settles them."""

from collections import Counter
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from workers.db.session import Connection, transaction
from workers.delivery.facts import with_facts
from workers.delivery.texts import Text, render, without_control_characters
from workers.stopping import stopping

_BATCH: Final = 500
_PER_TENANT: Final = 100


def file_all(connection: Connection) -> Counter[str]:
    """Write all due tasks and cases into the CRM, in batches; returns how many ended up in which status.

    A batch that takes longer than the host allows a statement is halved, and grows again.
    """
    done: Counter[str] = Counter()
    size = _BATCH
    while not stopping():
        try:
            filed = file_internal(connection, size)
        except psycopg.errors.QueryCanceled:
            if size == 1:
                raise
            size //= 2
            continue
        if not filed:
            break
        done += filed
        size = min(2 * size, _BATCH)
    return done


def file_internal(connection: Connection, most: int = _BATCH) -> Counter[str]:
    """Write one batch of tasks and cases into the CRM; returns how many ended up in which status, none at the end."""
    with transaction(connection):
        rows = connection.execute("SELECT * FROM claim_internal(%s, %s)", [most, min(most, _PER_TENANT)]).fetchall()
        claimed = with_facts(connection, rows)
        done: Counter[str] = Counter(row["verdict"] for row in claimed if row["verdict"] is not None)
        texts = []
        for row in claimed:
            if row["verdict"] is None:
                text = _text(row)
                texts.append({"id": row["action_id"], "title": text.subject, "body": text.body})
        filed = connection.execute("SELECT file_internal(%s) AS n", [Jsonb(texts)]).fetchone()
    done["filed"] = filed["n"] if filed else 0
    done["failed"] = len(texts) - done["filed"]
    return +done


def _text(row: dict[str, Any]) -> Text:
    try:
        return render(row["template"], row["variables"], row["tenant_name"], row["facts"].wording)
    except Exception as error:  # noqa: BLE001  # the people concerned must hear of it even if the words are broken
        reason = f"The text could not be written ({type(error).__name__}: {error}).\n\n{row['variables']}"
        return Text(row["template"], without_control_characters(reason))
