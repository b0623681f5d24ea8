"""The indexes by which an open case and a word of the customer are found."""

from workers.db.migrate import run_migration_sql

revision = "0018_series_indexes"
down_revision = "0017_series"


def upgrade() -> None:
    """Apply 0018_series_indexes.sql."""
    run_migration_sql("0018_series_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0018_series_indexes.rollback.sql")
