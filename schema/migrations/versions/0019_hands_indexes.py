"""Indexes by which people find what they ask about."""

from workers.db.migrate import run_migration_sql

revision = "0019_hands_indexes"
down_revision = "0019_hands"


def upgrade() -> None:
    """Apply 0019_hands_indexes.sql."""
    run_migration_sql("0019_hands_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0019_hands_indexes.rollback.sql")
