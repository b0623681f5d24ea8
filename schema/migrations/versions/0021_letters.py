"""What a tenant says in all its letters."""

from workers.db.migrate import run_migration_sql

revision = "0021_letters"
down_revision = "0020_runs"


def upgrade() -> None:
    """Apply 0021_letters.sql."""
    run_migration_sql("0021_letters.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0021_letters.rollback.sql")
