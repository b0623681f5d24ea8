"""The public "CRM Sales Opportunities" set: 8,800 opportunities of a hardware company, 2016 to 2017."""

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from workers.load.job import Job
from workers.load.layout import Layout
from workers.load.references import identify
from workers.load.report import Problem
from workers.load.row import Row, RowError
from workers.load.table import Place
from workers.load.text import folded, quoted
from workers.load.writer import Draft

TENANT: Final = "CRM Sales Opportunities"
FILES: Final = ("accounts.csv", "sales_teams.csv", "products.csv", "sales_pipeline.csv")

_ACCOUNT_FACTS: Final = ("year_established", "revenue", "employees", "subsidiary_of")
_MISSPELT: Final = {"technolgy": "technology", "Philipines": "Philippines"}
_CLOSED: Final = ("won", "lost")
_STAGES: Final = ("prospecting", "engaging", *_CLOSED)
_MONEY: Final = 10**12


def load(job: Job, files: Mapping[str, Place]) -> None:
    """Load the set as one tenant: accounts as clients, sales agents as profiles, opportunities as deals.

    Args:
        job: the load this is a part of.
        files: the files by name, all of `FILES`.
    """
    job.writer.write(
        "tenants", FILES[-1], [Draft(1, {"id": identify("tenants", None, TENANT), "name": TENANT}, TENANT)]
    )
    tenant = job.references.tenant(TENANT)
    for table in ("profiles", "clients", "contacts", "deals"):
        job.references.cover(table, [tenant])
    sales = _Sales(job, files, tenant)
    sales.load_agents()
    sales.load_accounts()
    sales.read_products()
    sales.load_pipeline()
    sales.add_notes()


class _Sales:
    def __init__(self, job: Job, files: Mapping[str, Place], tenant: UUID) -> None:
        self._job = job
        self._files = files
        self._tenant = tenant
        self._agents: dict[str, str] = {}  # addresses, by name
        self._contacts: dict[str, str] = {}  # addresses, by account
        self._prices: dict[str, tuple[str, Decimal | None]] = {}
        self._mended: Counter[str] = Counter()

    def load_agents(self) -> None:
        self._load("sales_teams.csv", "profiles", ("sales_agent",), ("manager", "regional_office"), self._agent)

    def load_accounts(self) -> None:
        file = self._files["accounts.csv"]

        def handle(rows: list[Row]) -> None:
            for table in ("clients", "contacts"):
                self._job.references.cover(table, [self._tenant])
            clients = self._job.drafts(file, "clients", rows, self._account)
            self._job.writer.write("clients", file.name, clients)
            self._job.references.cover("clients", [self._tenant])
            loaded = {row.line: row for row in rows}
            contacts = [loaded[draft.line] for draft in clients]
            self._job.writer.write("contacts", file.name, self._job.drafts(file, "contacts", contacts, self._contact))

        optional = ("sector", "office_location", *_ACCOUNT_FACTS)
        self._job.read(file, Layout("clients"), ("account",), optional, handle, others="not loaded")

    def read_products(self) -> None:
        file = self._files["products.csv"]

        def handle(rows: list[Row]) -> None:
            for row in rows:
                counts = self._job.report.counts("products")
                counts.read += 1
                try:
                    name = row.required("product")
                    self._prices[_squeezed(name)] = name, row.amount("sales_price", below=_MONEY)
                    counts.unchanged += 1  # products name and price the deals; the CRM has no table of them
                except RowError as error:
                    self._job.report.reject("products", Problem(file.name, row.line, str(error)))

        self._job.read(file, Layout("products"), ("product", "sales_price"), ("series",), handle, others="not loaded")

    def load_pipeline(self) -> None:
        required = ("opportunity_id", "sales_agent", "product", "account", "deal_stage")
        dates_and_value = ("engage_date", "close_date", "close_value")
        quarters = ("engage_quarter", "close_quarter")
        self._load("sales_pipeline.csv", "deals", (*required, *dates_and_value), quarters, self._opportunity)

    def add_notes(self) -> None:
        self._job.report.notes += [f"{what} ({times}x)" for what, times in sorted(self._mended.items())]

    def _load(
        self,
        name: str,
        table: str,
        required: tuple[str, ...],
        optional: tuple[str, ...],
        draft: Callable[[Row], Draft],
    ) -> None:
        file = self._files[name]

        def handle(rows: list[Row]) -> None:
            self._job.references.cover(table, [self._tenant])
            self._job.writer.write(table, file.name, self._job.drafts(file, table, rows, draft))

        self._job.read(file, Layout(table), required, optional, handle, others="not loaded")

    def _agent(self, row: Row) -> Draft:
        name = row.required("sales_agent")
        email = f"{_slug(name, '.')}@crm-sales.example"
        self._agents[folded(name)] = email
        return self._draft("profiles", row, email, email=email, full_name=name, role="sales")

    def _account(self, row: Row) -> Draft:
        name = row.required("account")
        return self._draft(
            "clients",
            row,
            name,
            company_name=name,
            industry=self._mend(row, "sector"),
            country=self._mend(row, "office_location"),
            attributes={fact: row.values[fact] for fact in _ACCOUNT_FACTS if row.text(fact)},
        )

    def _contact(self, row: Row) -> Draft:
        account = row.required("account")
        client = self._job.references.find("clients", self._tenant, account)
        email = f"contact@{_slug(account, '-')}.example"
        if email in self._contacts.values() and folded(account) not in self._contacts:
            email = f"contact@{_slug(account, '-')}-{row.line}.example"  # names that differ in punctuation only
        self._contacts[folded(account)] = email
        return self._draft("contacts", row, email, email=email, client_id=client, is_primary=True)

    def _opportunity(self, row: Row) -> Draft:
        key = row.required("opportunity_id")
        stage = row.required("deal_stage").casefold()
        if stage not in _STAGES:
            raise RowError(f"deal_stage {quoted(stage)} is none of {', '.join(_STAGES)}")
        engaged, closed = row.short_day("engage_date"), row.short_day("close_date")
        if stage in _CLOSED and closed is None:
            raise RowError(f"close_date is missing for an opportunity that is {stage}")
        if closed and stage not in _CLOSED:
            raise RowError(f"close_date is given, but the opportunity is {stage}")
        if engaged and closed and closed < engaged:
            raise RowError("close_date lies before engage_date")
        product, price = self._product(row)
        value = row.amount("close_value", below=_MONEY)
        agent, account = row.required("sales_agent"), row.text("account")
        if folded(agent) not in self._agents:
            raise RowError(f"there is no sales agent {quoted(agent)}")
        references, tenant = self._job.references, self._tenant
        return self._draft(
            "deals",
            row,
            None,
            external_id=key,
            title=f"{product} for {account}" if account else product,
            stage=stage,
            value=price if value is None else value,
            client_id=references.find("clients", tenant, account),
            contact_id=references.find("contacts", tenant, self._contacts[folded(account)] if account else None),
            owner_id=references.find("profiles", tenant, self._agents[folded(agent)]),
            description=f"Opportunity {key}",
            created_at=engaged,
            last_activity_at=engaged,
            auto_follow_up_enabled=True,
            closed_at=closed,
            closed_from_stage="engaging",
            history_id=identify("deal_stage_history", self._tenant, key),
        )

    def _product(self, row: Row) -> tuple[str, Decimal | None]:
        """Return the product's name and list price, whatever spaces and capitals it is written with."""
        written = row.required("product")
        if _squeezed(written) not in self._prices:
            raise RowError(f"there is no product {quoted(written)}")
        name, price = self._prices[_squeezed(written)]
        if name != written:
            self._mended[f'sales_pipeline.csv: product "{written}" is loaded as "{name}"'] += 1
        return name, price

    def _mend(self, row: Row, column: str) -> str | None:
        value = row.text(column)
        if value is None or value not in _MISSPELT:
            return value
        self._mended[f'accounts.csv: {column} "{value}" is loaded as "{_MISSPELT[value]}"'] += 1
        return _MISSPELT[value]

    def _draft(self, table: str, row: Row, name: str | None, external_id: str | None = None, **fields: Any) -> Draft:
        row_id = identify(table, self._tenant, external_id or name or "")
        return Draft(row.line, {"id": row_id, "tenant_id": self._tenant, **fields}, name, external_id)


def _squeezed(name: str) -> str:
    return folded(name).replace(" ", "")


def _slug(name: str, joiner: str) -> str:
    """Return a name as a part of an address: ASCII letters and digits; never empty."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return joiner.join(re.findall(r"[a-z0-9]+", ascii_name)) or f"x{zlib.crc32(name.encode()):08x}"
