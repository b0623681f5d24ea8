"""What a tenant says in all its letters."""

from workers.db.migrate import run_migration_sql

revision = "0018_letters"
down_revision = "0016_first_day"


def upgrade() -> None:
    """Apply 0018_letters.sql."""
    run_migration_sql("0018_letters.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0018_letters.rollback.sql")
