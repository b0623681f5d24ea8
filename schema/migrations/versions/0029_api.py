"""Programs that call the API: tokens, and answers that a repeated request gets again."""

from workers.db.migrate import run_migration_sql

revision = "0029_api"
down_revision = "0028_adoption"


def upgrade() -> None:
    """Apply 0029_api.sql."""
    run_migration_sql("0029_api.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0029_api.rollback.sql")
