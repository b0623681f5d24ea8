"""Indexes by which people find what they ask about."""

from workers.db.migrate import run_migration_sql

revision = "0022_records_indexes"
down_revision = "0021_letters"


def upgrade() -> None:
    """Apply 0022_records_indexes.sql."""
    run_migration_sql("0022_records_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0022_records_indexes.rollback.sql")
