"""Until when nothing is sent to somebody, or about something."""

from workers.db.migrate import run_migration_sql

revision = "0030_pauses"
down_revision = "0030_figures"


def upgrade() -> None:
    """Apply 0030_pauses.sql."""
    run_migration_sql("0030_pauses.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0030_pauses.rollback.sql")
