"""Alembic's entry point: runs on the connection that workers.db.migrate opened and locked."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="fleet_schema_version",
    transaction_per_migration=True,
    on_version_apply=context.config.attributes["on_version_apply"],
)
with context.begin_transaction():
    context.run_migrations()
