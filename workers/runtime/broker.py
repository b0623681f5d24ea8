"""How workers, beat and whoever sends come back to a broker that was away: every second, and without ado."""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from celery.app.amqp import AMQP
from celery.worker.consumer import Consumer
from kombu.connection import Connection

# Instead of 2, 4, 6 … 30 seconds: whatever is due waits as long.
_EVERY_SECOND: Final = {"interval_start": 1, "interval_step": 0, "interval_max": 1}
# What workers would tell each other whenever they connect: tasks that were revoked, and who is there. The fleet revokes
# none, and who is there the heartbeats tell; it takes seconds for which nothing is worked.
_UNASKED: Final = {"without_mingle": True, "without_gossip": True}

# Told of an error that it does not survive, a worker has so long to end by itself.
_END_SECONDS: Final = 15


class SteadyConnection(Connection):
    """Tries to connect once a second, however long the broker has been away, and is not forgotten when it is lost."""

    def _do_close_transport(self) -> None:  # kombu's own
        # kombu's would let the transport forget us, and whoever acknowledges a message of ours afterwards would end the
        # worker with an AttributeError. So it is told a connection's error, or reaches the broker that is back.
        self._transport = None

    def _ensure_connection(  # kombu's own
        self, errback: Any = None, max_retries: Any = None, *pace: Any, **options: Any
    ) -> Any:
        if not pace:  # who is in the middle of sending says how often it tries
            options = _EVERY_SECOND | options
        return super()._ensure_connection(errback, max_retries, *pace, **options)  # type: ignore[no-untyped-call]


class SteadyAMQP(AMQP):  # type: ignore[misc]  # Celery is untyped
    """Celery's side of the broker, by such connections."""

    Connection = BrokerConnection = SteadyConnection


class SteadyConsumer(Consumer):  # type: ignore[misc]  # Celery is untyped
    """Takes messages as soon as it is connected."""

    def __init__(self, *arguments: Any, worker_options: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(*arguments, worker_options={**(worker_options or {}), **_UNASKED}, **options)

    def start(self) -> None:  # Celery's own
        """Take messages until told to stop; an error that ends the worker ends its process, so that another begins."""
        try:
            super().start()
        except Exception:
            # Celery closes its pool now, and may read for ever from the pipe of a child that was killed while it wrote.
            end = threading.Timer(_END_SECONDS, os._exit, [1])
            end.daemon = True
            end.start()
            raise
