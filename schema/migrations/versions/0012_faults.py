"""What went wrong in the fleet's triggers while the CRM's rows were written."""

from workers.db.migrate import run_migration_sql

revision = "0012_faults"
down_revision = "0011_word_indexes"


def upgrade() -> None:
    """Apply 0012_faults.sql."""
    run_migration_sql("0012_faults.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0012_faults.rollback.sql")
