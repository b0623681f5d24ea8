"""Figures of Insight that are kept."""

from workers.db.migrate import run_migration_sql

revision = "0030_figures"
down_revision = "0030_console_indexes"


def upgrade() -> None:
    """Apply 0030_figures.sql."""
    run_migration_sql("0030_figures.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0030_figures.rollback.sql")
