"""Inbound's one task: look into the IMAP folders. Thin, as all tasks are."""

import logging
from collections import Counter
from typing import Final

from celery import Celery

from workers.db.heartbeats import note_heartbeat
from workers.db.session import connect, require_current_schema
from workers.inbound.imap import ImapError, poll
from workers.oauth import imap_tokens
from workers.settings import database_url, settings

logger = logging.getLogger(__name__)

# All folders of a visit together; it ends before the next one, two minutes later, begins.
_BUDGET_SECONDS: Final = 60


def register(app: Celery) -> None:
    """Give the app workers.inbound.poll."""
    app.task(poll_folders, name="workers.inbound.poll")


def poll_folders() -> dict[str, int]:
    """Take in what is new in every folder of IMAP_URL. One that fails is tried again at the next visit."""
    urls = settings().imap_urls
    if not urls:
        return {}
    tokens = imap_tokens(settings())
    done: Counter[str] = Counter()
    with connect(database_url()) as connection:
        require_current_schema(connection)
        note_heartbeat(connection, "inbound")
        for url in urls:
            try:
                done += poll(connection, url, tokens, budget_seconds=_BUDGET_SECONDS / len(urls))
            except ImapError as error:
                logger.warning("cannot poll %s", error)
                done["unreachable"] += 1
    if done:
        logger.info("inbound: %s", ", ".join(f"{n} {name}" for name, n in sorted(done.items())))
    return dict(done)
