"""The registry of engines, in place of lists of their names."""

from workers.db.migrate import run_migration_sql

revision = "0007_engines"
down_revision = "0006_contact_addresses"


def upgrade() -> None:
    """Apply 0007_engines.sql."""
    run_migration_sql("0007_engines.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0007_engines.rollback.sql")
