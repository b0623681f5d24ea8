"""Whether an earlier P1 was adopted."""

from workers.db.migrate import run_migration_sql

revision = "0028_adoption"
down_revision = "0027_console_indexes"


def upgrade() -> None:
    """Apply 0028_adoption.sql."""
    run_migration_sql("0028_adoption.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0028_adoption.rollback.sql")
