"""Series with a number and a reason, what a mailbox may be sent, and when."""

from workers.db.migrate import run_migration_sql

revision = "0017_series"
down_revision = "0016_first_day"


def upgrade() -> None:
    """Apply 0017_series.sql."""
    run_migration_sql("0017_series.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0017_series.rollback.sql")
