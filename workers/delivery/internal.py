"""Internal actions: tasks and cases for the tenant's own people, written in the transaction that settles them."""

from collections import Counter
from typing import Any

from psycopg.types.json import Jsonb

from workers.db.session import Connection, transaction
from workers.delivery.facts import with_facts
from workers.delivery.render import Text, render, without_control_characters


def file_internal(connection: Connection) -> Counter[str]:
    """Write one batch of tasks and cases into the CRM; returns how many ended up in which status, none at the end."""
    with transaction(connection):
        rows = connection.execute("SELECT * FROM claim_internal(%s, %s)", [500, 100]).fetchall()
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
