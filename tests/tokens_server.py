"""A token endpoint on the loopback (RFC 6749), which also says whether a token is good (RFC 7662)."""

from dataclasses import dataclass, field
from typing import Any, Self

from tests.provider_server import Call, ProviderServer, Said

CLIENT, SECRET = "fleet", "s3cret of the client"
FIRST = "refresh-0"  # what a person gave


@dataclass
class TokenServer:
    """Gives token-1, token-2, …; a token is good until it is taken back. A refresh token is good for one use."""

    port: int = 0
    account: str = "care@northwind.example"
    refuses: bool = False
    taken_back: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)
    refresh_token: str = FIRST
    script: list[Said] = field(default_factory=list)
    _server: ProviderServer = field(init=False)

    def __post_init__(self) -> None:
        self._server = ProviderServer(self._say, port=self.port, script=self.script)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return f"{self._server.url}/token"

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What was asked for tokens."""
        return [call.payload for call in self._server.calls if call.path == "/token"]

    def takes(self, token: str) -> bool:
        """Say whether a token is good."""
        return token in self.given and token not in self.taken_back and not self.refuses

    def settings(self, server: str, **more: str) -> dict[str, str]:
        """The settings of a client that it knows."""
        values = {"token_url": self.url, "client_id": CLIENT, "client_secret": SECRET, "scope": "mail"} | more
        return {f"{server}_oauth_{name}": value for name, value in values.items()}

    def _say(self, call: Call) -> Said:
        if call.path == "/introspect":
            # Closed, or whoever asks would go on asking a server that another one follows at the same port.
            said = {"active": self.takes(call.payload["token"]), "username": self.account}
            return Said(200, said, {"Connection": "close"})
        asked = call.payload
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT, SECRET):
            return Said(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})
        more = {}
        if asked["grant_type"] == "refresh_token":
            if asked["refresh_token"] != self.refresh_token:
                return Said(400, {"error": "invalid_grant", "error_description": "It was used before."})
            self.refresh_token = f"refresh-{len(self.given) + 1}"
            more = {"refresh_token": self.refresh_token}
        self.given.append(f"token-{len(self.given) + 1}")
        body = {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": 3600, **more}
        return Said(200, body, {"Content-Type": "application/json"})
