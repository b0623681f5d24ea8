"""Engines whose whole batch is one SQL function: their rules read best where their rows are.

Feedback, deals, quotes and compliance decide by comparing columns; schema/functions/ENGINE.sql claims,
decides and settles without a row leaving the server.
"""

from uuid import UUID

from psycopg import sql

from workers.db.session import Connection
from workers.engines.base import Engine, Tally


def set_wise(name: str) -> Engine:
    """Return the engine whose batch is the SQL function run_NAME_batch."""
    statement = sql.SQL("SELECT * FROM {}(%s, %s, %s)").format(sql.Identifier(f"run_{name}_batch"))

    def batch(connection: Connection, tenant: UUID, limit: int, run: int) -> Tally:
        return Tally.from_rows(connection.execute(statement, [tenant, limit, run]))

    return Engine(name, batch)
