"""If these fail, a CRM's customers are written to before anybody there has looked, or a demo does nothing."""

from uuid import UUID

import pytest

from tests.crm import Crm, stalled_deal
from tests.sql.test_migrations import NORTHWIND
from workers.db.migrate import migrate
from workers.db.session import connect
from workers.load.demo import load_demo
from workers.settings import settings


def restart_with(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("FLEET_DEFAULT_MODE", mode)
    settings.cache_clear()


def mode_of(crm: Crm, tenant: UUID, engine: str = "deals") -> str:
    mode: str = crm.one("SELECT engine_mode(%s, %s) AS mode", tenant, engine)["mode"]
    return mode


def test_beside_a_crm_a_person_looks_before_anything_leaves_and_standalone_it_begins_at_once(
    supabase: str, crm: Crm
) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        beside = Crm(connection)
        beside.run("deals")
        assert {action["status"] for action in beside.actions()} == {"suggested"}
        assert mode_of(beside, beside.tenant("Came later")) == "review"
        (northwind,) = (row for row in beside.read("list_tenants") if row["tenant_id"] == NORTHWIND)
        assert set(northwind["modes"].values()) == {"review"}
    stalled_deal(crm)
    crm.run("deals")
    assert {action["status"] for action in crm.actions()} == {"scheduled"}


def test_the_setting_decides_and_a_later_migration_without_it_changes_nothing(
    supabase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart_with(monkeypatch, "off")
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        assert crm.due_tenants("deals") == set()
        assert {row["due"] for row in crm.read("fleet_engine_status")} == {0}
        restart_with(monkeypatch, "auto")
        migrate(supabase)
        assert crm.due_tenants("deals") == {NORTHWIND}
        restart_with(monkeypatch, "")
        migrate(supabase)
        assert mode_of(crm, NORTHWIND) == "automatic"
        crm.execute("DELETE FROM fleet_defaults")  # somebody tidied up: nothing leaves unseen for it
        assert mode_of(crm, NORTHWIND) == "review"


def test_going_live_starts_what_was_not_switched_off_and_notes_who_decided(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        crm.run("deals")
        crm.mode(NORTHWIND, "quotes", "off")
        rows = {row["engine"]: row for row in crm.read("go_live", NORTHWIND, None, "ann")}
        assert {name for name, row in rows.items() if row["mode"] != "automatic"} == {"quotes"}
        assert rows["deals"]["suggested"] == len(crm.actions(status="suggested")) > 0
        (quotes,) = crm.read("go_live", NORTHWIND, "quotes", "bob")
        assert quotes["mode"] == "automatic"
        decided = crm.rows("SELECT engine, live_by FROM engine_settings WHERE tenant_id = %s", NORTHWIND)
        assert {row["engine"] for row in decided if row["live_by"] == "ann"} == rows.keys() - {"quotes"}
        assert {row["engine"] for row in decided if row["live_by"] == "bob"} == {"quotes"}
        assert mode_of(crm, crm.tenant("Somebody else")) == "review"


def test_a_demo_works_at_once_however_tenants_begin_here(crm: Crm) -> None:
    crm.execute("UPDATE fleet_defaults SET mode = 'off'")
    other = crm.tenant("Nobody's demo")
    load_demo(crm.connection)
    demo = crm.rows("SELECT id FROM tenants WHERE id <> %s", other)
    assert {mode_of(crm, row["id"]) for row in demo} == {"automatic"}
    assert mode_of(crm, other) == "off"
