"""Indexes of references, so that the CRM deletes a row without searching the fleet's tables."""

from workers.db.migrate import run_migration_sql

revision = "0013_reference_indexes"
down_revision = "0012_faults"


def upgrade() -> None:
    """Apply 0013_reference_indexes.sql."""
    run_migration_sql("0013_reference_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0013_reference_indexes.rollback.sql")
