"""Who signs in to the console, and what is done there."""

from workers.db.migrate import run_migration_sql

revision = "0025_console"
down_revision = "0023_watch"


def upgrade() -> None:
    """Apply 0025_console.sql."""
    run_migration_sql("0025_console.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0025_console.rollback.sql")
