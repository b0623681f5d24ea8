"""Who is meant by a name in a CSV file: rows of the database by tenant and natural key."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString
from uuid import UUID, uuid5

from workers.db.session import Connection, transaction
from workers.load.csv_file import RowError, quoted

_NAMESPACE: Final = UUID("6f1b7a3e-0f0c-5d0e-9a57-1b0c7a2d4e90")

# A row answers to its external id first, then to its name; deals have no name that tells them apart.
_QUERIES: Final[dict[str, LiteralString]] = {
    "profiles": "SELECT id, tenant_id, NULL AS external_id, email AS name FROM profiles",
    "clients": "SELECT id, tenant_id, attributes ->> 'external_id' AS external_id, company_name AS name FROM clients",
    "contacts": "SELECT id, tenant_id, attributes ->> 'external_id' AS external_id, email AS name FROM contacts",
    "deals": "SELECT id, tenant_id, NULL AS external_id, NULL AS name FROM deals",
    "orders": "SELECT id, tenant_id, NULL AS external_id, order_number AS name FROM orders",
    "quotes": "SELECT id, tenant_id, NULL AS external_id, quote_number AS name FROM quotes",
}
_NOUNS: Final = {
    "tenants": "tenant",
    "profiles": "profile",
    "clients": "client",
    "contacts": "contact",
    "deals": "deal",
}


def folded(name: str) -> str:
    """Return a name as it is compared: without regard to case or runs of spaces."""
    return " ".join(name.split()).casefold()


def identify(table: str, tenant: UUID | None, key: str) -> UUID:
    """Return the id a row gets when it is loaded: always the same one for the same tenant and key."""
    return uuid5(_NAMESPACE, f"{table}/{tenant or ''}/{folded(key)}")


@dataclass(slots=True)
class _Known:
    """The rows of one table and tenant; a name that several rows bear stands for None."""

    ids: set[UUID] = field(default_factory=set)
    external: dict[str, UUID | None] = field(default_factory=dict)
    names: dict[str, UUID | None] = field(default_factory=dict)

    def add(self, row_id: UUID, external_id: str | None, name: str | None) -> None:
        if row_id in self.ids:
            return
        self.ids.add(row_id)
        for index, value in ((self.external, external_id), (self.names, name)):
            if value:
                index[folded(value)] = None if folded(value) in index else row_id


class References:
    """The rows that a CSV file may name, read from the database for as many tenants as the file mentions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tenants = _Known()
        self._known: dict[tuple[str, UUID], _Known] = {}
        with transaction(connection):
            for row in connection.execute("SELECT id, name FROM tenants"):
                self._tenants.add(row["id"], None, row["name"])

    def cover(self, table: str, tenants: Iterable[UUID]) -> None:
        """Read a table's rows of those tenants that were not read before."""
        new = [tenant for tenant in set(tenants) if (table, tenant) not in self._known]
        if not new:
            return
        for tenant in new:
            self._known[table, tenant] = _Known()
        with transaction(self._connection):
            for row in self._connection.execute(f"{_QUERIES[table]} WHERE tenant_id = ANY (%s)", [new]):
                self._known[table, row["tenant_id"]].add(row["id"], row["external_id"], row["name"])

    def forget(self, table: str, tenant: UUID) -> None:
        """Read a table's rows of a tenant anew when they are next needed."""
        self._known.pop((table, tenant), None)

    def add(self, table: str, record: dict[str, Any], external_id: str | None, name: str | None) -> None:
        """Note a row that was just loaded."""
        known = self._tenants if table == "tenants" else self._known[table, record["tenant_id"]]
        known.add(record["id"], external_id, name)

    def has(self, table: str, record: dict[str, Any], external_id: str | None, name: str | None) -> bool:
        """Say whether the table has a row under its external id or, where it has none, under its name.

        A row that was renamed since it was loaded goes on answering to the name it has in the file.
        """
        known = self._tenants if table == "tenants" else self._known[table, record["tenant_id"]]
        key = folded(external_id or name or "")
        index = known.external if external_id else known.names
        if key in index:
            row_id = index[key]
        elif record["id"] in known.ids:
            row_id = record["id"]
        else:
            return False
        if name:
            known.names.setdefault(folded(name), row_id)
        return True

    def tenant(self, name: str) -> UUID:
        """Return the tenant of that name.

        Raises:
            RowError: there is none, or more than one.
        """
        return _one(self._tenants, "tenants", None, name)

    def find(self, table: str, tenant: UUID, key: str | None) -> UUID | None:
        """Return the row that answers to the key, None for no key.

        Raises:
            RowError: no row does, or more than one.
        """
        return None if key is None else _one(self._known[table, tenant], table, tenant, key)


def _one(known: _Known, table: str, tenant: UUID | None, key: str) -> UUID:
    for index in (known.external, known.names):
        if folded(key) in index:
            found = index[folded(key)]
            if found is None:
                raise RowError(f"more than one {_NOUNS[table]} is called {quoted(key)}")
            return found
    # Renamed since it was loaded: the key still names it.
    own_id = identify(table, tenant, key)
    if own_id in known.ids:
        return own_id
    raise RowError(f"there is no {_NOUNS[table]} {quoted(key)}")
