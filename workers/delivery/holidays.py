"""Public holidays of the countries that tenants name, kept in the database so that SQL can tell when mail may leave."""

import logging
from datetime import date, timedelta

from workers import clock
from workers.db.session import Connection, transaction

logger = logging.getLogger(__name__)

# So far ahead that no message is put off beyond it.
_AHEAD = timedelta(days=400)


def keep_holidays(connection: Connection) -> None:
    """Write the holidays of this year and the next for each country that a tenant names and that has none yet.

    A country, or a part of it, that the `holidays` package does not know keeps none: it is warned of, and mail leaves
    on every sending day.
    """
    today = clock.now().date()
    until = today + _AHEAD
    with transaction(connection):
        lacking = connection.execute(
            "SELECT DISTINCT y.holidays AS country FROM tenant_delivery AS y WHERE y.holidays IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM public_holidays AS h WHERE h.country = y.holidays"
            "                 AND h.day >= make_date(%s, 1, 1))",
            [until.year],
        ).fetchall()
        for row in lacking:
            connection.cursor().executemany(
                "INSERT INTO public_holidays (country, day, name) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [(row["country"], day, name) for day, name in _holidays(row["country"], [today.year, until.year])],
            )


def _holidays(country: str, years: list[int]) -> list[tuple[date, str]]:
    import holidays  # noqa: PLC0415  # a tenth of a second that most passes do not need

    nation, _, part = country.partition("-")
    try:
        return list(holidays.country_holidays(nation, subdiv=part or None, years=years).items())
    except NotImplementedError as error:
        logger.warning("holidays of %s are not known: %s", country, error)
        return []
