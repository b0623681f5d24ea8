"""What the CRM's stages and statuses mean: those that nobody knows, and those that the tenant explained."""

import psycopg
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.runtime.words import MEANINGS
from workers.web.console.door import Visit


def show(visit: Visit) -> Response:
    """Show the words that wait for an explanation, and those that have one."""
    rows = visit.called("console_words")
    return visit.show(
        "words.html.j2",
        unknown=[row for row in rows if "n" in row],
        known=[row for row in rows if "meaning" in row],
        meanings=MEANINGS,
    )


def save(visit: Visit) -> Response:
    """Say what a word means, or (without a meaning) that it means again what it means everywhere."""
    kind, word, meaning = visit.said("kind"), visit.said("word"), visit.said("meaning")
    tenant = visit.said("tenant") or (str(visit.person.tenant) if visit.person.tenant else "")
    if kind not in MEANINGS or (meaning and meaning not in MEANINGS[kind]) or not word or not tenant:
        raise HTTPException(400, "A word needs what it is a word for, and a meaning of those that there are.")
    try:
        visit.called_for(tenant, "console_set_word", kind, word, meaning or None, visit.person.who)
    except (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation, psycopg.DataError):
        raise HTTPException(400, "This word has no letter that would count, or there is no such tenant.") from None
    return visit.go(
        "/console/words", "changed", what="explains a word", item=f"{kind} {word}: {meaning or 'as everywhere'}"
    )
