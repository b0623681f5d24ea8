"""Internal actions: tasks and cases for the tenant's own people, written in the transaction that settles them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from workers.db.session import Connection, transaction
from workers.delivery.facts import with_facts
from workers.delivery.texts import Text, render, without_control_characters
from workers.links import filled_link
from workers.runtime.limits import heed_tenant_places
from workers.stopping import stopping

_BATCH: Final = 500
_PER_TENANT: Final = 100


def file_all(connection: Connection, link_template: str | None = None) -> Counter[str]:
    """Write all due tasks and cases into the CRM, in batches.

    A batch that takes longer than the host allows a statement is halved, and grows again.

    Args:
        connection: outside any transaction.
        link_template: FLEET_LINK_TEMPLATE, see `task_text`.

    Returns:
        How many ended up in which status.
    """
    done: Counter[str] = Counter()
    size = _BATCH
    while not stopping():
        try:
            filed = file_internal(connection, size, link_template)
        except psycopg.errors.QueryCanceled:
            if size == 1:
                raise
            size //= 2
            continue
        done += filed
        if filed.total() < min(size, _PER_TENANT):  # of all tenants together: nobody has more
            break
        size = min(2 * size, _BATCH)
    return done


def file_internal(connection: Connection, most: int = _BATCH, link_template: str | None = None) -> Counter[str]:
    """Write one batch of tasks and cases into the CRM; returns how many ended up in which status, none at the end."""
    with transaction(connection):
        heed_tenant_places(connection)
        rows = connection.execute("SELECT * FROM claim_internal(%s, %s)", [most, min(most, _PER_TENANT)]).fetchall()
        claimed = with_facts(connection, rows)
        done: Counter[str] = Counter(row["verdict"] for row in claimed if row["verdict"] is not None)
        texts = []
        for row in claimed:
            if row["verdict"] is None:
                text = _text(row, link_template)
                texts.append({"id": row["action_id"], "title": text.subject, "body": text.body})
        filed = connection.execute("SELECT file_internal(%s) AS n", [Jsonb(texts)]).fetchone() if texts else None
    done["filed"] = filed["n"] if filed else 0
    done["failed"] = len(texts) - done["filed"]
    return +done


def task_text(row: Mapping[str, Any], link_template: str | None) -> Text:
    """Return the text of a task or case: its words, and below them each thing that it is about, with its id and link.

    Args:
        row: of an action, with its "facts".
        link_template: where the CRM shows a thing, with {id}, {type} (deal), {table} (deals) and {tenant} in it.

    Raises:
        jinja2.TemplateError: as for `render`.
    """
    text = render(row["template"], row["variables"], row["tenant_name"], row["facts"].wording)
    about = "".join(f"  - {_reference(one, link_template)}\n" for one in row["facts"].subjects)
    return replace(text, body=f"{text.body}\nIn the CRM:\n{about}") if about else text


def _reference(subject: Mapping[str, str | None], link_template: str | None) -> str:
    kind, title = subject["type"] or "", " ".join((subject["title"] or "").split())
    link = filled_link(link_template, {**subject, "table": f"{kind}s"}) if link_template else None
    words = [kind.replace("_", " "), without_control_characters(title), subject["id"], link]
    return " ".join(word for word in words if word)


def _text(row: Mapping[str, Any], link_template: str | None) -> Text:
    try:
        return task_text(row, link_template)
    except Exception as error:  # noqa: BLE001  # the people concerned must hear of it even if the words are broken
        reason = f"The text could not be written ({type(error).__name__}: {error}).\n\n{row['variables']}"
        return Text(row["template"], without_control_characters(reason))
