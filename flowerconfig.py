"""Flower's own configuration: `celery -A workers.app flower` reads it, wherever it is started.

Flower has neither a Host check nor a word against being framed, so Tornado adds both to each of its answers.
"""

from flower.urls import settings as flower_settings
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from workers import logs
from workers.settings import settings

_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
_MISDIRECTED = 421


class Guard(OutputTransform):
    """No page of another site shows Flower in a frame, or reads it under a name of its own that leads here."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._known = request.host_name in _OWN_NAMES

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Forbid frames; where the Host is not this machine, say nothing but that."""
        if not self._known:
            status_code, headers, chunk = _MISDIRECTED, HTTPHeaders({"Content-Length": "0"}), b""
        headers["X-Frame-Options"] = "DENY"
        headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Pass the rest of an answer on, or nothing."""
        return chunk if self._known else b""


flower_settings["transforms"] = [Guard]

address = "127.0.0.1"
port = settings().fleet_flower_port
read_only = True
if login := settings().fleet_flower_login:
    basic_auth = [login.get_secret_value()]

logging = "none"  # Tornado leaves the log alone, which is set up like that of all other processes
logs.configure()
