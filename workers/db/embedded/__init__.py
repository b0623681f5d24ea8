"""The embedded PostgreSQL and Valkey under FLEET_HOME, for whoever has no servers of their own yet."""

from workers.db.embedded.servers import EmbeddedServers

__all__ = ["EmbeddedServers"]
