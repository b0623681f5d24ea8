"""Delivery's one task, in a queue of its own so that slow mail never starves the engines."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager

from celery import Celery

from workers.db.heartbeats import note_heartbeat
from workers.db.session import LOCKED_OUT, Connection, connect, require_current_schema
from workers.delivery.deliver import channel_for, deliver
from workers.errors import first_line
from workers.runtime.limits import DELIVERY, helpers_for
from workers.runtime.messages import HELPER_EXPIRES_SECONDS, Sender, send_or_say
from workers.settings import database_url, settings

logger = logging.getLogger(__name__)

_NAME = "workers.delivery.run"


def register(app: Celery) -> None:
    """Give the app workers.delivery.run."""
    app.task(_task(app.send_task), name=_NAME)


def _task(send: Sender) -> Callable[..., dict[str, int]]:
    def run(helpers: int | None = None) -> dict[str, int]:
        """Carry out every due action. A failed pass needs no retry: the next one comes with the next minute."""
        chosen = settings()
        helpers = helpers_for(DELIVERY, chosen.fleet_helpers if helpers is None else helpers)

        def call_helper() -> None:
            if helpers > 0:
                send_or_say(send, _NAME, kwargs={"helpers": helpers - 1}, expires=HELPER_EXPIRES_SECONDS)

        def reconnect() -> AbstractContextManager[Connection]:
            return connect(database_url())

        try:
            with reconnect() as connection:
                require_current_schema(connection)
                note_heartbeat(connection, "delivery")
                channel = channel_for(chosen)
                return dict(deliver(connection, channel, chosen, on_backlog=call_helper, reconnect=reconnect))
        except LOCKED_OUT as error:  # somebody holds the outbox, or a table of the CRM
            logger.warning("delivery stops for now: %s", first_line(error))
            return {}

    return run
