"""If these fail, the fleet cannot work where a host has set its database up in another way."""

from datetime import UTC, datetime
from typing import Final

from tests.crm import Crm, days, stalled_deal
from tests.shell import fleet
from workers.db.session import connect

# The country's own dates, and a schema that stands before public with a table of the same name in it.
OTHERWISE: Final = {
    "datestyle": "German", "intervalstyle": "sql_standard", "timezone": "'Asia/Kolkata'",
    "search_path": "other, public", "quote_all_identifiers": "on", "statement_timeout": "'5s'", "lock_timeout": "'1s'",
}  # fmt: skip


def set_for_the_database(url: str, **settings: str) -> None:
    with connect(url) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {name} = {value}")


def test_a_host_with_settings_of_its_own_is_served_all_the_same(empty_database: str) -> None:
    with connect(empty_database) as connection:
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.scheduled_actions (id integer)")
        connection.execute("CREATE TABLE other.deals (id integer)")
    set_for_the_database(empty_database, **OTHERWISE)
    assert fleet(empty_database, "db", "migrate").returncode == 0
    with connect(empty_database) as connection:  # the CRM, which knows where its tables are
        connection.execute("SET search_path = public; SET datestyle = ISO; SET intervalstyle = postgres")
        connection.execute("SELECT note_fault('the_test', 'deals', 'x', 'P0001', 'nothing is wrong')")
        stalled_deal(Crm(connection), last_activity_at=datetime.now(UTC) - days(9))
    checked = fleet(empty_database, "db", "check")
    assert "fault: the_test on deals x" in checked.stdout
    assert "missing" not in checked.stdout
    assert fleet(empty_database, "run", "deals").returncode == 0
    for command in ("status", "actions list", "explain ann@acme.example", "words unknown", "runs list"):
        done = fleet(empty_database, *command.split())
        assert (done.returncode, done.stderr) == (0, ""), (command, done)
    with connect(empty_database) as connection:
        rows = connection.execute("SELECT template FROM public.scheduled_actions").fetchall()
    assert [row["template"] for row in rows] == ["deal_follow_up"]
    assert fleet(empty_database, "db", "rollback", "--yes").returncode == 0


def test_a_setting_that_changes_what_sql_means_is_refused_and_named(empty_database: str) -> None:
    set_for_the_database(empty_database, standard_conforming_strings="off")
    refused = fleet(empty_database, "db", "migrate")
    assert refused.returncode == 2
    assert "database: standard_conforming_strings is off" in refused.stderr
