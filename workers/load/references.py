"""Who is meant by a name in a CSV file: rows of the database by tenant and natural key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workers.db.session import Connection, transaction
from workers.load.row import RowError
from workers.load.text import folded, quoted

_NAMESPACE: Final = UUID("6f1b7a3e-0f0c-5d0e-9a57-1b0c7a2d4e90")

# A row answers to its external id first, then to its name, a person last to the full name; deals have no name that
# tells them apart.
_QUERIES: Final[dict[str, LiteralString]] = {
    "profiles": "SELECT id, tenant_id, NULL AS external_id, email AS name, full_name FROM profiles",
    "clients": "SELECT id, tenant_id, attributes ->> 'external_id' AS external_id, company_name AS name FROM clients",
    "contacts": "SELECT id, tenant_id, attributes ->> 'external_id' AS external_id, email AS name,"
    " first_name, last_name FROM contacts",
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


def identify(table: str, tenant: UUID | None, key: str) -> UUID:
    """Return the id a row gets when it is loaded: always the same one for the same tenant and key."""
    return uuid5(_NAMESPACE, f"{table}/{tenant or ''}/{folded(key)}")


@dataclass(slots=True)
class _Known:
    """The rows of one table and tenant; a name that several rows bear stands for None."""

    ids: set[UUID] = field(default_factory=set)
    external: dict[str, UUID | None] = field(default_factory=dict)
    names: dict[str, UUID | None] = field(default_factory=dict)
    full_names: dict[str, UUID | None] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any], external_id: str | None, name: str | None) -> None:
        if row["id"] in self.ids:
            return
        self.ids.add(row["id"])
        full_name = row.get("full_name") or " ".join(filter(None, (row.get("first_name"), row.get("last_name"))))
        for index, value in ((self.external, external_id), (self.names, name), (self.full_names, full_name)):
            if value:
                index[folded(value)] = None if folded(value) in index else row["id"]


class References:
    """The rows that a CSV file may name, read from the database for as many tenants as the file mentions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tenants = _Known()
        self._tenant_names: dict[UUID, str] = {}
        self._zones: dict[UUID, str] = {}
        self._known: dict[tuple[str, UUID], _Known] = {}
        self._aliases: dict[tuple[str, UUID, str], str] = {}
        with transaction(connection):
            for row in connection.execute("SELECT id, name, tenant_zone(id) AS time_zone FROM tenants"):
                self._add_tenant(row, row["name"])

    def cover(self, table: str, tenants: Iterable[UUID]) -> None:
        """Read a table's rows of those tenants that were not read before."""
        new = [tenant for tenant in set(tenants) if (table, tenant) not in self._known]
        if not new:
            return
        for tenant in new:
            self._known[table, tenant] = _Known()
        with transaction(self._connection):
            for row in self._connection.execute(f"{_QUERIES[table]} WHERE tenant_id = ANY (%s)", [new]):
                self._known[table, row["tenant_id"]].add(row, row["external_id"], row["name"])

    def forget(self, table: str, tenant: UUID) -> None:
        """Read a table's rows of a tenant anew when they are next needed."""
        self._known.pop((table, tenant), None)

    def add(self, table: str, record: dict[str, Any], external_id: str | None, name: str | None) -> None:
        """Note a row that was just loaded."""
        if table == "tenants":
            self._add_tenant(record, name)
        elif (known := self._known.get((table, record["tenant_id"]))) is not None:  # else it is read anew
            known.add(record, external_id, name)

    def _add_tenant(self, record: Mapping[str, Any], name: str | None) -> None:
        self._tenants.add(record, None, name)
        self._tenant_names[record["id"]] = record["name"]
        self._zones[record["id"]] = record.get("time_zone") or "UTC"

    def alias(self, table: str, tenant: UUID, key: str, name: str) -> None:
        """Let a row that answers to a name answer to another key as well, as long as this load goes on."""
        self._aliases[table, tenant, folded(key)] = name

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

    def only_tenant(self) -> UUID | None:
        """Return the tenant, if there is but one."""
        return next(iter(self._tenants.ids)) if len(self._tenants.ids) == 1 else None

    def tenant_named(self, text: str) -> UUID:
        """Return the tenant with this id or name.

        Raises:
            RowError: there is none, or more than one.
        """
        by_id = next((tenant for tenant in self._tenants.ids if str(tenant) == text.lower()), None)
        return by_id or self.tenant(text)

    def name_of(self, tenant: UUID) -> str:
        """Return a tenant's name."""
        return self._tenant_names[tenant]

    def zone_of(self, tenant: UUID) -> ZoneInfo:
        """Return a tenant's time zone.

        Raises:
            RowError: the database has another word for it.
        """
        zone = self._zones[tenant]
        try:
            return ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise RowError(f"the tenant's time zone {quoted(zone)} is not one like Europe/Berlin") from None

    def find(self, table: str, tenant: UUID, key: str | None) -> UUID | None:
        """Return the row that answers to the key, None for no key.

        Raises:
            RowError: no row does, or more than one.
        """
        if key is None:
            return None
        key = self._aliases.get((table, tenant, folded(key)), key)
        return _one(self._known[table, tenant], table, tenant, key)


def _one(known: _Known, table: str, tenant: UUID | None, key: str) -> UUID:
    for index in (known.external, known.names, known.full_names):
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
