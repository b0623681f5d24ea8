"""Quotes: a quote that was sent is followed up until it is answered, decided, expired or has had its five messages.

Promises: the highest amounts first; an outcome, an answer or the end of validity stops the series; past its date a
quote expires; numbers are without gaps or clashes; won and lost are recorded in one transaction, to learn from.
"""

from datetime import timedelta

from workers.engines.base import Engine, sql_batch

ENGINE = Engine(
    name="quotes",
    batch=sql_batch("run_quotes_batch"),
    catch_up=timedelta(hours=12),
    subject_type="quote",
    templates={
        "quote_follow_up": "email",
        "quote_handover": "task",
        "quote_no_contact": "task",
        "quote_unreachable": "task",
    },
    claims_all=True,
)
