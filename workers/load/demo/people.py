"""A demo tenant's people: its own, its clients and their contacts, its vendors."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from random import Random
from typing import Any, Final
from uuid import UUID

from workers.load.demo import names

_UNREACHABLE_EVERY: Final = 9  # one client in nine has nobody to write to
_FIRST_UNREACHABLE: Final = 2


@dataclass(frozen=True, slots=True)
class Profile:
    """What sets one demo tenant apart from the others."""

    name: str
    domain: str
    clients: int
    time_zone: str
    products: tuple[str, ...]
    currency: str
    postal_address: str
    window: tuple[str, str | None] = ("00:00", None)
    paused: bool = False
    modes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A contact with an address, and the client it speaks for."""

    client: UUID
    contact: UUID
    address: str
    first_name: str
    last_name: str


@dataclass(slots=True)
class World:
    """The rows of the demo so far, by table; everything in it follows from the seed and the instant."""

    random: Random
    now: datetime
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def new_id(self) -> UUID:
        """Return the next id."""
        return UUID(int=self.random.getrandbits(128), version=4)

    def add(self, table: str, **values: Any) -> UUID:
        """Add a row and return its id."""
        row_id = self.new_id()
        self.rows[table].append({"id": row_id, **values})
        return row_id

    def ago(self, least: float, most: float | None = None) -> datetime:
        """Return an instant some days ago, between `least` and `most`; negative days lie ahead."""
        days = least if most is None else self.random.uniform(least, most)
        return (self.now - timedelta(days=days)).replace(microsecond=0)

    def amount(self, least: int, most: int) -> float:
        """Return an amount of money."""
        return round(self.random.uniform(least, most), 2)


class Tenant:
    """One tenant of the demo: rows that every engine's cases are built upon."""

    def __init__(self, world: World, profile: Profile) -> None:
        self.world = world
        self.profile = profile
        self.id = world.add("tenants", name=profile.name, created_at=world.ago(400))
        world.rows["tenant_delivery"].append(
            {
                "tenant_id": self.id,
                "paused": profile.paused,
                "time_zone": profile.time_zone,
                "window_start": profile.window[0],
                "window_end": profile.window[1],
                "send_days": [1, 2, 3, 4, 5, 6, 7],  # who tries it out does so on a Sunday, too
                "from_name": profile.name,
                "from_address": f"hello@{profile.domain}.example",
            }
        )
        world.rows["tenant_letters"].append(
            {"tenant_id": self.id, "currency": profile.currency, "postal_address": profile.postal_address}
        )
        for engine, mode in profile.modes:
            world.rows["engine_settings"].append({"tenant_id": self.id, "engine": engine, "mode": mode})
        self.manager = self._profile("admin")
        self.compliance = self._profile("compliance")
        self.sales = [self._profile("sales") for _ in range(max(2, profile.clients // 20))]
        self.people: list[Person] = []
        self.unreachable: list[UUID] = []
        self.vendors: list[tuple[UUID, str]] = []
        self._add_clients()
        self._add_vendors()
        self._next_person = cycle(self.people)
        self._next_unreachable = cycle(self.unreachable)

    def person(self) -> Person:
        """Return the next contact with an address; all of them in turn."""
        return next(self._next_person)

    def silent_client(self) -> UUID:
        """Return the next client without anybody to write to."""
        return next(self._next_unreachable)

    def owner(self) -> UUID:
        """Return one of the sales people."""
        return self.world.random.choice(self.sales)

    def add(self, table: str, **values: Any) -> UUID:
        """Add a row of this tenant and return its id."""
        return self.world.add(table, tenant_id=self.id, **values)

    def _name(self) -> tuple[str, str]:
        return self.world.random.choice(names.FIRST_NAMES), self.world.random.choice(names.LAST_NAMES)

    def _profile(self, role: str) -> UUID:
        first, last = self._name()
        return self.add(
            "profiles",
            email=f"{first}.{last}@{self.profile.domain}.example".lower(),
            full_name=f"{first} {last}",
            role=role,
            created_at=self.world.ago(390),
        )

    def _company(self, ends: Sequence[str], count: int) -> Iterator[tuple[str, str]]:
        every = [f"{start} {end}" for start in names.COMPANY_STARTS for end in ends]
        for name in self.world.random.sample(every, count):
            yield name, name.lower().replace(" ", "-")

    def _add_clients(self) -> None:
        random = self.world.random
        for number, (name, domain) in enumerate(self._company(names.COMPANY_ENDS, self.profile.clients)):
            client = self.add(
                "clients",
                company_name=name,
                owner_id=self.owner(),
                industry=random.choice(names.INDUSTRIES),
                country=random.choice(names.COUNTRIES),
                status="active",
                attributes={"vat_id": f"X{random.randrange(10**8, 10**9)}"} if number % 3 else {},
                created_at=self.world.ago(100, 380),
            )
            if number % _UNREACHABLE_EVERY == _FIRST_UNREACHABLE:
                self.unreachable.append(client)
                if number % 2:  # known by name, but not by address
                    self._add_contact(client, None, primary=True)
                continue
            for place in range(random.choice((1, 1, 2, 3))):
                self._add_contact(client, domain, primary=place == 0)

    def _add_contact(self, client: UUID, domain: str | None, *, primary: bool) -> None:
        random = self.world.random
        first, last = self._name()
        address = f"{first}.{last}@{domain}.example".lower() if domain else None
        contact = self.add(
            "contacts",
            client_id=client,
            first_name=first,
            last_name=last,
            email=address,
            title=random.choice(names.TITLES),
            phone=f"+49 30 5550 {random.randrange(1000, 10_000)}" if random.choice((True, False)) else None,
            is_primary=primary,
            attributes={"consent_given_on": "2024-05-01"} if random.choice((True, False)) else {},
            created_at=self.world.ago(60, 99),
        )
        if address:
            self.people.append(Person(client, contact, address, first, last))

    def _add_vendors(self) -> None:
        lapses = cycle((None, 200, -5, None, 90))
        count = max(10, self.profile.clients // 5)
        for number, (name, domain) in enumerate(self._company(names.VENDOR_ENDS, count)):
            days = next(lapses)
            attributes = {}
            if days is not None:
                attributes["insurance_valid_until"] = self.world.ago(-days).date().isoformat()
            vendor = self.add(
                "vendors",
                company_name=name,
                email=f"office@{domain}.example" if number % 4 else None,
                owner_id=self.owner(),
                category="strategic" if number % 2 else "general",
                country=self.world.random.choice(names.COUNTRIES),
                status="active",
                attributes=attributes,
                created_at=self.world.ago(100, 380),
            )
            self.vendors.append((vendor, name))
