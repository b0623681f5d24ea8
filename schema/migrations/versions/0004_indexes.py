"""The rows of an earlier P1, and indexes, built without blocking a busy CRM."""

from alembic import op

from workers.db.adoption import copy_rows
from workers.db.migrate import migration_connection, run_migration_sql

revision = "0004_indexes"
down_revision = "0003_fleet"


def upgrade() -> None:
    """Copy the rows, apply 0004_indexes.sql."""
    with op.get_context().autocommit_block():
        copy_rows(migration_connection())
    run_migration_sql("0004_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0004_indexes.rollback.sql")
