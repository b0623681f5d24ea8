"""The process that serves pages and API, on this machine only unless set: something with TLS stands before it."""

import gc
import socket
from contextlib import closing
from types import FrameType

import uvicorn

from workers import logs, stopping
from workers.errors import ConfigurationError
from workers.runtime.console_links import note_address
from workers.settings import settings, usable_home
from workers.web.app import app


def serve() -> None:
    """Serve until told to stop (SIGTERM, Ctrl-C).

    Raises:
        ConfigurationError: nobody can listen there, or the settings are wrong.
    """
    chosen = settings()
    usable_home()  # the secret by which links are known may be there
    with closing(_listening(chosen.fleet_web_host, chosen.fleet_web_port)) as listener:
        port = listener.getsockname()[1]
        host = f"[{chosen.fleet_web_host}]" if ":" in chosen.fleet_web_host else chosen.fleet_web_host
        logs.tell(f"web: http://{host}:{port}")
        note_address(chosen.fleet_web_host, port)
        # No access log: a path is what proves who may unsubscribe.
        config = uvicorn.Config(
            app, access_log=False, server_header=False, log_config=None, timeout_graceful_shutdown=5
        )
        gc.freeze()  # what was imported lives to the end, and no collection need look through it
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Told to stop, it tells the runs under way, which leave off after the batch in hand."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear a signal."""
        stopping.stop()
        super().handle_exit(sig, frame)


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(
            f"FLEET_WEB_HOST, FLEET_WEB_PORT: cannot listen on {host} port {port} ({reason})"
        ) from None
    return listener
