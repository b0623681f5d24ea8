"""The web process's application, on a port of its own."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import uvicorn

from tests.crm import wait_until
from workers.web.app import app

# Of a client that speaks to this machine in the clear: to read whom the world trusts would take each of them a while.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def served() -> Iterator[httpx.Client]:
    """The pages and the API, as `fleet web` serves them."""
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the web server")
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", verify=NO_TLS) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
