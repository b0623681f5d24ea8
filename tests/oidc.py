"""A small OpenID Connect provider on this machine, at which everybody is signed in at once as whoever it is told."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "fleet", "a secret/of the test"  # with what must be escaped


@dataclass
class Provider:
    """The provider: where it is, and what it says of whoever signs in.

    Attributes:
        issuer: its address.
        claims: of the next ID token, over those that it has anyway.
        codes: the code challenge and the nonce of each sign-in that was begun.
    """

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Answer a code as RFC 6749 and 7636 ask for it; None where anything is wrong."""
        asked = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        challenge, nonce = self.codes.pop(form.get("code", ""), ("", ""))
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if unquote(asked) != f"{CLIENT}:{SECRET}" or proof != challenge:
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": nonce}
        token = jwt.encode(claims | self.claims, self.key, "RS256", {"kid": "1"})
        return {"access_token": "x", "token_type": "Bearer", "id_token": token}


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Run a provider for the length of a block."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            match parts.path:
                case "/.well-known/openid-configuration":
                    ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
                    places = {name: f"{provider.issuer}/{end}" for name, end in ends.items()}
                    self.answer(200, {"issuer": provider.issuer} | places)
                case "/keys":
                    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(provider.key.public_key()))
                    self.answer(200, {"keys": [key | {"kid": "1", "use": "sig", "alg": "RS256"}]})
                case "/authorize":
                    code = f"code{len(provider.codes)}{time.monotonic_ns()}"
                    provider.codes[code] = asked["code_challenge"], asked["nonce"]
                    self.send_response(303)
                    back = urlencode({"code": code, "state": asked["state"]})
                    self.send_header("Location", f"{asked['redirect_uri']}?{back}")
                    self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            found = provider.tokens(form, self.headers.get("Authorization", ""))
            self.answer(200 if found else 400, found or {"error": "invalid_grant"})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library calls it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
