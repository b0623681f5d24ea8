"""Licences: who holds a licence is reminded once, thirty days before it lapses.

Promises: one message per licence and date of expiry; a renewed licence, or an answer, stops it.
"""

from datetime import timedelta

from workers.engines.base import Engine, sql_batch

ENGINE = Engine(
    name="licences",
    batch=sql_batch("run_licences_batch"),
    catch_up=timedelta(hours=6),
    subject_type="licence",
    templates={"licence_reminder": "email"},
    cron="0 6 * * *",
)
