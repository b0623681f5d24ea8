"""If this fails, adding workers doubles messages, or does not make the fleet any faster."""

from collections import Counter

import pytest

from tests.acceptance.crowd import ENGINES, fill, go, outcome, report, start
from tests.crm import WORKED, Crm

TENANTS, ROWS, BATCH = 3, 400, 10


@pytest.mark.parametrize("engine", ENGINES)
def test_four_processes_act_on_every_due_item_exactly_once_and_share_the_work(
    engine: str, crm: Crm, database_url: str
) -> None:
    fill(crm, engine, TENANTS, ROWS)
    # A batch waits a little in the database, so that who is ready late on a busy machine still finds work.
    crm.execute(
        "CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$"
    )
    crm.execute(
        f"CREATE TRIGGER wait_a_little AFTER UPDATE ON {WORKED[engine]}"
        " FOR EACH STATEMENT EXECUTE FUNCTION wait_a_little()"
    )
    crowd = [start(database_url, engine, BATCH) for _ in range(4)]
    try:
        go(crowd)
        reports = [report(member) for member in crowd]
    finally:
        for member in crowd:
            member.kill()

    handled = [sum(r["acted"].values()) + sum(r["skipped"].values()) for r in reports]
    states, actions = outcome(crm, engine)
    items = sum(states.values()) + (3 * TENANTS if engine == "compliance" else 0)  # its schedules count as well
    assert sum(handled) == items
    assert min(handled) > items / 20, handled
    assert crm.run(engine).tally.due == 0

    # Each action belongs to one item and one step of it.
    keys = Counter((row["subject_id"], row["template"], row["variables"].get("step")) for row in crm.actions())
    assert set(keys.values()) <= {1}
    assert sum(actions.values()) == sum(sum(r["actions"].values()) for r in reports)
    ledger = crm.rows("SELECT sum(acted)::integer AS acted, sum(actions)::integer AS actions FROM engine_runs")[0]
    assert ledger["actions"] == sum(actions.values())
    if engine == "feedback":
        asked = Counter(row["contact_id"] for row in crm.actions())
        assert set(asked.values()) == {1}
    # Whoever was followed up is one step further, everybody else as far as before.
    for table, before in (("deals", {0, 5}), ("quotes", {1, 5})):
        if engine == table:
            counts = {row["follow_up_count"] for row in crm.rows(_COUNTS[table])}
            assert counts <= before | {step + 1 for step in before - {5}}


_COUNTS = {"deals": "SELECT follow_up_count FROM deals", "quotes": "SELECT follow_up_count FROM quotes"}
