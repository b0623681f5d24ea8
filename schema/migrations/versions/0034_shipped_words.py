"""What a CRM's words mean, found at once in every transaction instead of in lists made ready for it."""

from workers.db.migrate import run_migration_sql

revision = "0034_shipped_words"
down_revision = "0033_traces"


def upgrade() -> None:
    """Apply shipped_words.sql again."""
    run_migration_sql("shipped_words.sql")


def downgrade() -> None:
    """Leave it: the words mean what they meant before."""
