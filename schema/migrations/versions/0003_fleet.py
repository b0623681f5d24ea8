"""The fleet's own tables: ledger, outbox, settings, and what each row waits for."""

from workers.db.migrate import run_migration_sql

revision = "0003_fleet"
down_revision = "0002_p1"


def upgrade() -> None:
    """Apply 0003_fleet.sql."""
    run_migration_sql("0003_fleet.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0003_fleet.rollback.sql")
