"""What a look at Redis or Valkey finds, and whether somebody takes what lies in its queues."""

from collections.abc import Iterator
from typing import Any, Final

from celery import Celery
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from workers.watch.findings import Finding

QUEUES: Final = ("engines", "delivery", "inbound")
_TIMEOUT_SECONDS: Final = 5
_LONG: Final = 1000
_FULL: Final = 0.9


def look_at_broker(url: str) -> list[Finding]:
    """Return what is wrong with the broker; that it cannot be reached is a finding, too."""
    broker = Redis.from_url(
        url.replace("redis+socket://", "unix://").replace("virtual_host=", "db="),  # Celery has its own words for both
        socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS,
    )  # fmt: skip
    try:
        with broker:
            return [*_server(broker), *_queues(broker)]
    except RedisError as error:
        return [
            Finding(
                "broker",
                f"the broker cannot be used: {error}",
                "nothing starts on time; what is due stays due in the database and is caught up",
                "start it, or mend REDIS_URL",
            )
        ]


def look_at_consumers(url: str) -> list[Finding]:
    """Return the queues that nobody takes from; asks all workers and waits a second for their answers."""
    app = Celery("doctor", broker=url, set_as_current=False)
    answers: dict[str, list[dict[str, Any]]] = app.control.inspect(timeout=1).active_queues() or {}
    served = {queue["name"] for queues in answers.values() for queue in queues}
    return [
        Finding(
            f"queue:{queue}",
            f"no worker takes from the queue {queue}",
            "what is sent there waits",
            f"start `celery -A workers.app worker --queues={queue}`; the Procfile has all of them",
        )
        for queue in QUEUES
        if queue not in served
    ]


def _server(broker: Redis) -> Iterator[Finding]:
    about: dict[str, Any] = broker.info()
    if about.get("role") not in (None, "master"):
        yield Finding(
            "broker:replica",
            f"the broker is a {about['role']}, which takes no messages",
            "nothing starts until it is the primary again",
            "let REDIS_URL name the primary",
        )
    policy = about.get("maxmemory_policy", "noeviction")
    if about.get("maxmemory") and policy != "noeviction":
        yield Finding(
            "broker:eviction",
            f"the broker throws data away when its memory is full (maxmemory-policy {policy})",
            "messages to workers vanish without a word",
            "CONFIG SET maxmemory-policy noeviction, and in its configuration file",
        )
    if about.get("maxmemory") and about["used_memory"] > _FULL * about["maxmemory"]:
        yield Finding(
            "broker:memory",
            f"the broker uses {about['used_memory'] // 1024**2:,} of {about['maxmemory'] // 1024**2:,} MiB",
            "when it is full it takes no more messages",
            "raise maxmemory, or see what else lies in it",
        )


def _queues(broker: Redis) -> Iterator[Finding]:
    for queue in QUEUES:
        try:
            waiting = broker.llen(queue)
        except ResponseError:  # something else of that name
            continue
        if waiting > _LONG:
            yield Finding(
                f"backlog:{queue}",
                f"{waiting:,} messages wait in the queue {queue}",
                "whoever takes from it is gone, or too slow",
                f"see that workers with --queues={queue} run; most of these messages do nothing the second time",
            )
