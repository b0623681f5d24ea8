"""What the words of a CRM mean: its stages and statuses."""

from workers.db.migrate import run_migration_sql

revision = "0010_words"
down_revision = "0009_closed_doors"


def upgrade() -> None:
    """Apply 0010_words.sql."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0010_words.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0010_words.rollback.sql")
