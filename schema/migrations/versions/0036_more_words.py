"""More words of CRMs, in more of the forms they come in, and the indexes of open deals by them."""

from workers.db.migrate import run_migration_sql

revision = "0036_more_words"
down_revision = "0035_limits"


def upgrade() -> None:
    """Apply shipped_words.sql again, and build the indexes anew."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0026_deal_indexes.sql", transactional=False)


def downgrade() -> None:
    """Leave it: a word that nobody knew before is only known now."""
