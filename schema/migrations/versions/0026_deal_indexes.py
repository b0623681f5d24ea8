"""More words, and the indexes of open deals by them, cheap for the CRM's writes."""

from workers.db.migrate import run_migration_sql

revision = "0026_deal_indexes"
down_revision = "0025_webhooks"


def upgrade() -> None:
    """Apply 0026_deal_indexes.sql."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0026_deal_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0026_deal_indexes.rollback.sql")
