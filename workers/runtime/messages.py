"""Messages that one task sends to start another."""

import logging
from typing import Any, Final, Protocol

import redis
from kombu.exceptions import KombuError

from workers.errors import first_line

logger = logging.getLogger(__name__)

# A helper that no worker had time for is not needed any more.
HELPER_EXPIRES_SECONDS: Final = 60
# A slot that nobody has begun by then was announced again meanwhile.
SLOT_EXPIRES_SECONDS: Final = 3600


class Sender(Protocol):
    """How a task sends messages: Celery.send_task."""

    def __call__(self, name: str, **options: Any) -> object:  # Celery's own options
        """Send the named task."""


def send_or_say(send: Sender, name: str, **options: Any) -> None:
    """Send a message that nothing depends on: what it would have started comes with the catch-up or the next pass."""
    try:
        send(name, **options)
    except (KombuError, redis.RedisError, OSError) as error:
        logger.warning("%s could not be sent, it comes later: %s", name, first_line(error))
