"""The CRM's own tables and columns, where they are missing."""

from workers.db.migrate import run_migration_sql

revision = "0001_core"
down_revision = None


def upgrade() -> None:
    """Apply 0001_core.sql."""
    run_migration_sql("core_columns.sql")
    run_migration_sql("0001_core.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0001_core.rollback.sql")
