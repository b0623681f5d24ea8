"""What the fleet knows of itself."""

from workers.db.migrate import run_migration_sql

revision = "0023_watch"
down_revision = "0022_records_indexes"


def upgrade() -> None:
    """Apply 0023_watch.sql."""
    run_migration_sql("0023_watch.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0023_watch.rollback.sql")
