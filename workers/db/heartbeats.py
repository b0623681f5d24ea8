"""When each pass of the fleet was last made: what the watch looks for."""

from workers.db.session import Connection


def note_heartbeat(connection: Connection, name: str) -> None:
    """Note that a pass of this name begins."""
    connection.execute("SELECT note_heartbeat(%s)", [name])
