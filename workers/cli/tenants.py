"""`fleet tenants`: who is served, and how."""

from workers.cli.common import Json, database
from workers.db.session import transaction
from workers.terminal import out, print_json, table_of


def tenants(as_json: Json = False) -> None:
    """List the tenants: id, name, and the engines that do not work automatically for them."""
    with database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM list_tenants()").fetchall()
    if as_json:
        print_json(rows)
        return
    out.print(
        table_of(
            ["id", "name", "not automatic"],
            (
                [
                    row["tenant_id"],
                    row["name"],
                    ", ".join(f"{engine} {mode}" for engine, mode in sorted(row["modes"].items())),
                ]
                for row in rows
            ),
        )
    )
