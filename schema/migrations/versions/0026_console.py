"""Who signs in to the console, and what is done there."""

from workers.db.migrate import run_migration_sql

revision = "0026_console"
down_revision = "0025_webhooks"


def upgrade() -> None:
    """Apply 0026_console.sql."""
    run_migration_sql("0026_console.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0026_console.rollback.sql")
