"""The watch's one task, in delivery's queue: it is short, and must not stand behind an engine's long run."""

from celery import Celery

from workers.db.session import connect, require_current_schema
from workers.settings import database_url, redis_url, settings
from workers.watch.incidents import watch


def register(app: Celery) -> None:
    """Give the app workers.watch.look."""
    app.task(look, name="workers.watch.look")


def look() -> int:
    """Look whether all is well, and tell who is on call of what is not; returns how many incidents are open."""
    with connect(database_url()) as connection:
        require_current_schema(connection)
        return watch(connection, settings(), redis_url())
