"""A provider on the loopback: real HTTP or HTTPS, told in advance what to answer to each call."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass
class Call:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    payload: dict[str, Any]  # of JSON, or of a form
    raw: bytes


@dataclass
class Said:
    """One response: status, headers, a JSON value or raw bytes, and how long it takes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class ProviderServer:
    """Answers every call with `answer(call)`, unless something was put into `script` for it; keeps the calls."""

    answer: Callable[[Call], Said]
    tls: ssl.SSLContext | None = None
    port: int = 0
    script: list[Said] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # the library's name
                self.do_POST()

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
                payload = dict(parse_qsl(raw.decode())) if form else json.loads(raw or b"{}")
                call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, payload, raw)
                said = provider.say(call)
                time.sleep(said.seconds)
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                try:
                    self.send_response(said.status)
                    for name, value in {**said.headers, "Content-Length": str(len(body))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    self.close_connection = True  # the client had no more patience

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def say(self, call: Call) -> Said:
        """Note the call and choose its answer; an answer that takes its time keeps nobody waiting."""
        with self._lock:
            self.calls.append(call)
            scripted = self.script.pop(0) if self.script else None
        return scripted or self.answer(call)
