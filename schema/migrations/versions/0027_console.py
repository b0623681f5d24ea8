"""Who signs in to the console, and what is done there."""

from workers.db.migrate import run_migration_sql

revision = "0027_console"
down_revision = "0026_deal_indexes"


def upgrade() -> None:
    """Apply 0027_console.sql."""
    run_migration_sql("0027_console.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0027_console.rollback.sql")
