"""What could not be delivered and why, and complaints as a kind of inbound mail."""

from workers.db.migrate import run_migration_sql

revision = "0015_delivery_failures"
down_revision = "0014_calendar"


def upgrade() -> None:
    """Apply 0015_delivery_failures.sql."""
    run_migration_sql("0015_delivery_failures.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0015_delivery_failures.rollback.sql")
