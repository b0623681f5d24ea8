"""Enrichment: what customers write becomes contact data and opportunity signals.

Promises: each mail is read once; an empty field is filled, a different value is never overwritten but left to people;
no lock is held while a provider is asked, and none is asked beyond its budget; a strong signal gets one task.

Its steps are the modules of this folder: `mail` (signatures and signals), `lookups` (providers), `merge` (contacts).
"""

from datetime import timedelta
from uuid import UUID

from workers.db.session import Connection
from workers.engines.base import Engine, Tally
from workers.engines.enrichment.lookups import ask_providers
from workers.engines.enrichment.mail import read_mail
from workers.engines.enrichment.merge import merge_found


def _batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
    row = connection.execute("SELECT tenant_region(%s) AS region", [tenant]).fetchone()
    region = row["region"] if row else None
    tally = read_mail(connection, tenant, limit, region)
    statement = "SELECT * FROM act_on_signals(%s, %s, %s)"
    tally.add(Tally.from_rows(connection.execute(statement, [tenant, limit, run])))
    tally.add(merge_found(connection, tenant, limit, region))
    return tally


ENGINE = Engine(
    name="enrichment",
    batch=_batch,
    fetch=ask_providers,
    catch_up=timedelta(minutes=25),
    subject_type="opportunity_signal",
    templates={"opportunity_signal": "task"},
)
