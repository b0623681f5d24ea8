"""Delivery's one task, in a queue of its own so that slow mail never starves the engines."""

import logging

from celery import Celery

from workers.db.session import LOCKED_OUT, connect, require_current_schema
from workers.delivery.deliver import channel_for, deliver
from workers.errors import first_line
from workers.settings import database_url, settings

logger = logging.getLogger(__name__)


def register(app: Celery) -> None:
    """Give the app workers.delivery.run."""
    app.task(_run, name="workers.delivery.run")


def _run() -> dict[str, int]:
    """Carry out every due action. A failed pass needs no retry: the next one comes with the next minute."""
    chosen = settings()
    try:
        with connect(database_url()) as connection:
            require_current_schema(connection)
            return dict(deliver(connection, channel_for(chosen), chosen))
    except LOCKED_OUT as error:  # somebody holds the outbox, or a table of the CRM
        logger.warning("delivery stops for now: %s", first_line(error))
        return {}
