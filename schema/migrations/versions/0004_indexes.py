"""Indexes, built without blocking a busy CRM."""

from workers.db.migrate import run_migration_sql

revision = "0004_indexes"
down_revision = "0003_fleet"


def upgrade() -> None:
    """Apply 0004_indexes.sql."""
    run_migration_sql("0004_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0004_indexes.rollback.sql")
