"""The Celery app: `celery -A workers.app worker | beat | flower | call workers.deals.run`."""

import os
import sys
import warnings
from typing import Any, Final

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import celeryd_after_setup, celeryd_init, setup_logging
from kombu.entity import Queue

from workers import logs, stopping
from workers.delivery.tasks import register as register_delivery
from workers.engines.registry import require_engines
from workers.errors import FleetError
from workers.inbound.tasks import register as register_inbound
from workers.resources import shipped
from workers.runtime.broker import SteadyAMQP
from workers.runtime.limits import DELIVERY, TENANT
from workers.runtime.tasks import register as register_engines
from workers.runtime.timetable import catch_up_windows, timetable
from workers.settings import redis_url, settings, usable_home
from workers.tracing import TracedTask
from workers.watch.tasks import register as register_watch

_TASK_TIME_LIMIT: Final = 30 * 60
# Longer than the longest task may run, or Redis hands the message to a second worker meanwhile.
_VISIBILITY_TIMEOUT: Final = 2 * _TASK_TIME_LIMIT
# A worker whose Redis failed over notices within seconds instead of waiting for ever. Nothing is tried again beneath
# Celery: what hears of broadcasts would be connected anew there, and wait for the next one before anything else.
_TRANSPORT_OPTIONS: Final = {
    "visibility_timeout": _VISIBILITY_TIMEOUT,
    "socket_timeout": 30,
    "socket_connect_timeout": 10,
    "socket_keepalive": True,
    "health_check_interval": 25,
}


def _configuration() -> dict[str, Any]:
    chosen, broker = settings(), redis_url()
    home = usable_home()
    # A name that is no engine's is refused here, and not at every pass.
    catch_up_windows()
    require_engines("FLEET_CONCURRENCY", chosen.fleet_concurrency, DELIVERY, TENANT)
    require_engines("FLEET_PER_MINUTE", chosen.fleet_per_minute)
    return {
        "broker_url": broker,
        "result_backend": broker,
        "broker_transport_options": _TRANSPORT_OPTIONS,
        "result_backend_transport_options": _TRANSPORT_OPTIONS,
        "visibility_timeout": _VISIBILITY_TIMEOUT,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # however long the broker is away
        "broker_channel_error_retry": True,  # read-only during a failover, or full: that passes, too
        "redis_socket_timeout": 30,
        "redis_socket_keepalive": not broker.startswith("redis+socket:"),  # a connection of the machine has none
        "redis_backend_health_check_interval": 25,
        "result_expires": 24 * 3600,
        "timezone": chosen.fleet_timezone,
        "beat_schedule": timetable(),
        "beat_scheduler": "workers.runtime.beat:SteadyScheduler",
        "beat_schedule_filename": str(home / "celerybeat-schedule"),
        # Named here, so that a worker without --queues serves all of them, and Flower shows them.
        "task_queues": [Queue(name, routing_key=name) for name in ("engines", "delivery", "inbound")],  # type: ignore[no-untyped-call]
        "task_default_queue": "engines",
        "task_routes": {
            "workers.delivery.*": {"queue": "delivery"},
            "workers.watch.*": {"queue": "delivery"},
            "workers.inbound.*": {"queue": "inbound"},
        },
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": _TASK_TIME_LIMIT,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_consumer": "workers.runtime.broker:SteadyConsumer",
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
    }


try:
    app = Celery("workers", task_cls=TracedTask, amqp=SteadyAMQP)
    app.conf.update(_configuration())
except FleetError as problem:
    print(f"fleet: {problem}", file=sys.stderr)  # no log is set up yet
    sys.exit(2)


def _set_up_logs(*, loglevel: int, logfile: str | None, **_: object) -> None:
    """Write the fleet's log lines instead of Celery's."""
    logs.configure(loglevel, logfile)


def _warn_of_less(**_: object) -> None:
    """Leave out what nobody need act on: root is dangerous with messages that carry code, and these are JSON only.

    And a task that goes on when its broker is lost, which Celery 6 will end, harms nobody: the ledger knows its work.
    """
    warnings.filterwarnings("ignore", category=SecurityWarning)
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)


# Flower reads its settings from there, whatever folder it is started in.
os.environ.setdefault("FLOWER_CONF", str(shipped("flowerconfig.py")))
setup_logging.connect(_set_up_logs)
stopping.listen()
celeryd_init.connect(_warn_of_less)
celeryd_after_setup.connect(_warn_of_less)  # Celery has asked for them again meanwhile
register_engines(app)
register_delivery(app)
register_inbound(app)
register_watch(app)
