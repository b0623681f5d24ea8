"""Settings from the environment (and .env): one frozen object, checked when it is first asked for."""

import json
import os
import re
import stat
import tempfile
from base64 import b64decode
from datetime import timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from workers import urls
from workers.errors import ConfigurationError
from workers.links import places_of

SERVERS_FILE = "servers.json"  # where running embedded servers say how they are reached
# Read by the test suite, the benchmarks and the trainers, not by the fleet; they may stand in the same environment.
_NOT_OURS = frozenset({"FLEET_CRM_SALES_DIR", "FLEET_JUDGEMENT_DIR", "FLEET_BOUNCES_DIR"})
_FILE = ".env"
_SHORTEST_KEY = 24  # bytes, of what signs a webhook
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_OAUTH = ("token_url", "client_id", "client_secret", "scope", "refresh_token")


def _url(*schemes: str) -> AfterValidator:
    def check(value: str | None) -> str | None:
        if not value:
            return None
        parts = urls.read(value, schemes)
        if parts.scheme != "redis+socket":
            urls.require_host(parts)
        return value

    return AfterValidator(check)


def _postgres_url(value: str | None) -> str | None:
    """Let through what libpq reads as it is meant; it ends a password at the first @, and quotes what is wrong."""
    if not value:
        return None
    parts = urls.read(value, ("postgresql", "postgres"))
    if parts.netloc.count("@") > 1 or re.search(r"%(?![0-9A-Fa-f]{2})|%00", value):
        raise ValueError("cannot be read: special characters of user and password are escaped (@ is %40, % is %25)")
    return value


def _public_url(value: str | None) -> str | None:
    """Let through where anybody reaches the fleet's pages; mail programs post to nothing else (RFC 8058)."""
    if not value:
        return None
    parts = urls.read(value, ("https",))
    urls.require_host(parts)
    if parts.query or parts.fragment or parts.username:
        raise ValueError(
            "must be where the fleet's pages begin, such as https://mail.example.com or https://example.com/fleet"
        )
    return value.rstrip("/")


def _token_url(value: str | None) -> str | None:
    """Let through where tokens are asked for: a secret is sent there, in the clear to this machine alone."""
    if not value:
        return None
    parts = urls.read(value, ("https", "http"))
    urls.require_host(parts)
    if parts.scheme == "http" and not urls.on_this_machine(parts.hostname or ""):
        raise ValueError("http:// is for this machine (localhost, 127.0.0.1); a secret is not sent in the clear")
    return value


def _link_template(value: str | None) -> str | None:
    """Let through where the tenant's own people find what a task is about."""
    if not value:
        return None
    urls.require_host(urls.read(value, ("https", "http")))
    if "id" not in (places := places_of(value)) or places - {"id", "table", "tenant", "type"}:
        raise ValueError("must contain {id}, and in braces nothing but id, type, table and tenant")
    return value


def _ping_url(value: str | None) -> str | None:
    """Let through an address that has a place for what is alive."""
    if value and "{name}" not in value:
        raise ValueError("needs {name} where the name of what is alive belongs, as in https://hc.example/KEY/{name}")
    return value


def _jwks(value: str | None) -> str | None:
    """Let through where public keys come from: a file, or an address at which nobody on the way can change them."""
    if not value:
        return None
    if "://" not in value:
        if not Path(value).is_file():
            raise ValueError(f"{Path(value).absolute()} is no file; an address starts with https://")
        return value
    parts = urls.read(value, ("https", "http"))
    urls.require_host(parts)
    if parts.scheme == "http" and not urls.on_this_machine(parts.hostname or ""):
        raise ValueError("http:// is for this machine (localhost, 127.0.0.1); keys from elsewhere come by https://")
    return value


def _smtp_url(value: str | None) -> str | None:
    return _mail_server(value, "smtp", "smtps") if value else None


def _imap_urls(value: str | None) -> str | None:
    for url in _words(value):
        _mail_server(url, "imap", "imaps")
        if not urlsplit(url).username:
            raise ValueError("must be URLs such as imaps://user:password@host:993/INBOX, separated by spaces or commas")
    return value or None


def _mail_server(url: str, *schemes: str) -> str:
    parts = urls.read(url, schemes)
    urls.require_host(parts)
    urls.starttls(parts)
    return url


def _words(value: str | None) -> list[str]:
    return re.split(r"[\s,]+", value.strip(" ,")) if value else []


def _folder(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError(f"{value.absolute()} is no folder")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return value


def _windows(value: str) -> dict[str, timedelta]:
    pairs = _pairs(value, pattern=r"[1-9]\d{0,3}[mhd]", example="deals=8h enrichment=45m compliance=5d")
    return {name: int(length[:-1]) * _UNITS[length[-1]] for name, length in pairs.items()}


def _pairs(value: str, *, pattern: str, example: str) -> dict[str, str]:
    if not all(re.fullmatch(rf"[a-z][a-z_]*={pattern}", word) for word in _words(value)):
        raise ValueError(f"must be such as {example}")
    return dict(word.split("=") for word in _words(value))


def _mailbox(value: str) -> str:
    name, address = parseaddr(value)
    try:
        Address(name, addr_spec=address)
    except (ValueError, HeaderParseError, IndexError):
        raise ValueError("must be an address such as Customer Care <care@example.com>") from None
    return value


def _header_value(value: SecretStr) -> SecretStr:
    if not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
        raise ValueError("must consist of printable ASCII characters, it is sent in a header")
    return value


def _login(value: SecretStr) -> SecretStr:
    user, _, password = value.get_secret_value().partition(":")
    if not user or not password:
        raise ValueError("must be USER:PASSWORD")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    """Let through what signs a webhook (Standard Webhooks): whsec_ and a key in base64."""
    prefix, text = value.get_secret_value()[:6], value.get_secret_value()[6:]
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if prefix != "whsec_" or len(key) < _SHORTEST_KEY:
        raise ValueError(
            f"must be whsec_ and {_SHORTEST_KEY} bytes or more in base64, as openssl rand -base64 32 makes them"
        )
    return value


# What may hold a password is left out where settings are printed.
PostgresUrl = Annotated[str | None, AfterValidator(_postgres_url), Field(repr=False)]
RedisUrl = Annotated[str | None, _url("redis", "rediss", "redis+socket"), Field(repr=False)]
SmtpUrl = Annotated[str | None, AfterValidator(_smtp_url), Field(repr=False)]
ImapUrls = Annotated[str | None, AfterValidator(_imap_urls), Field(repr=False)]
HttpUrl = Annotated[str | None, _url("http", "https"), Field(repr=False)]
_numbers = partial(_pairs, pattern=r"[1-9]\d{0,5}", example="deals=2 enrichment=1")
Numbers = Annotated[dict[str, int], NoDecode, BeforeValidator(_numbers)]
Key = Annotated[SecretStr, AfterValidator(_header_value)]
TokenUrl = Annotated[str | None, AfterValidator(_token_url)]
Jwks = Annotated[str | None, AfterValidator(_jwks), Field(repr=False)]


class Settings(BaseSettings):
    """Everything an operator can set. The environment wins over .env; names are case-insensitive."""

    # Other programs keep variables of their own in .env; what looks like one of the fleet's is checked below.
    model_config = SettingsConfigDict(
        frozen=True, env_file=_FILE, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: PostgresUrl = None
    direct_database_url: PostgresUrl = None
    redis_url: RedisUrl = None
    smtp_url: SmtpUrl = None
    smtp_oauth_token_url: TokenUrl = None
    smtp_oauth_client_id: str | None = None
    smtp_oauth_client_secret: SecretStr | None = None
    smtp_oauth_scope: str | None = None
    smtp_oauth_refresh_token: SecretStr | None = None
    imap_url: ImapUrls = None
    imap_oauth_token_url: TokenUrl = None
    imap_oauth_client_id: str | None = None
    imap_oauth_client_secret: SecretStr | None = None
    imap_oauth_scope: str | None = None
    imap_oauth_refresh_token: SecretStr | None = None
    apollo_api_key: Key | None = None
    apollo_url: Annotated[str, _url("http", "https")] = "https://api.apollo.io"
    web_search_url: HttpUrl = None
    web_search_key: Key | None = None
    fleet_home: Path = Path(".fleet")
    fleet_engines_dir: Annotated[Path | None, AfterValidator(_folder)] = None
    fleet_timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    fleet_catch_up: Annotated[dict[str, timedelta], NoDecode, BeforeValidator(_windows)] = {}
    fleet_naive_zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    fleet_default_mode: Literal["review", "auto", "off"] | None = None
    fleet_mail_from: Annotated[str, AfterValidator(_mailbox)] = "Customer Care <care@fleet.example>"
    fleet_reply_domain: str | None = Field(default=None, pattern=r"^[^@\s]+\.[^@\s]+$")
    fleet_reply_secret: str | None = Field(default=None, min_length=16, repr=False)
    fleet_batch_size: int = Field(default=1000, ge=1, le=10_000)
    fleet_helpers: int = Field(default=1, ge=0, le=64)
    fleet_concurrency: Numbers = {}
    fleet_per_minute: Numbers = {}
    fleet_max_attempts: int = Field(default=29, ge=1, le=50)
    fleet_smtp_connections: int = Field(default=3, ge=1, le=50)
    fleet_smtp_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    fleet_retention_days: int = Field(default=1095, ge=400, le=36_500)
    fleet_apollo_daily_credits: int = Field(default=200, ge=0, le=1_000_000)
    fleet_public_url: Annotated[str | None, AfterValidator(_public_url)] = None
    fleet_webhook_allow_private: bool = False
    fleet_link_template: Annotated[str | None, AfterValidator(_link_template)] = None
    fleet_web_host: str = Field(default="127.0.0.1", min_length=1)
    fleet_web_port: int = Field(default=8085, ge=1, le=65_535)
    fleet_inbound_secret: Annotated[SecretStr, AfterValidator(_webhook_secret)] | None = None
    cron_secret: Annotated[Key, Field(min_length=16)] | None = None
    fleet_jwt_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    fleet_jwt_jwks: Jwks = None
    fleet_jwt_audience: str = Field(default="authenticated", min_length=1)
    fleet_jwt_leeway_seconds: int = Field(default=30, ge=0, le=300)
    fleet_oidc_issuer: TokenUrl = None
    fleet_oidc_client_id: str | None = Field(default=None, min_length=1)
    fleet_oidc_client_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    fleet_flower_port: int = Field(default=5555, ge=1, le=65_535)
    fleet_flower_login: Annotated[SecretStr, AfterValidator(_login)] | None = None
    fleet_alert_url: HttpUrl = None
    fleet_alert_mail: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    fleet_ping_url: Annotated[HttpUrl, AfterValidator(_ping_url)] = None
    fleet_metrics_token: Annotated[Key, Field(min_length=16)] | None = None
    fleet_log: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _refuse_unknown(self) -> Self:
        known = {name.upper() for name in type(self).model_fields} | _NOT_OURS
        given = {name.upper() for name in (*os.environ, *dotenv_values(_FILE))}
        unknown = sorted(name for name in given - known if name.startswith("FLEET_"))
        if unknown:
            raise ValueError(f"{unknown[0]} is not a setting of the fleet; .env.example lists them all")
        return self

    @model_validator(mode="after")
    def _sign_reply_addresses(self) -> Self:
        if self.fleet_reply_domain and not self.fleet_reply_secret:
            raise ValueError("FLEET_REPLY_DOMAIN needs FLEET_REPLY_SECRET, which signs the addresses")
        return self

    @model_validator(mode="after")
    def _complete_oauth(self) -> Self:
        for server, known in (("SMTP", [self.smtp_url] if self.smtp_url else []), ("IMAP", self.imap_urls)):
            given = {name: getattr(self, f"{server}_oauth_{name}".lower()) for name in _OAUTH}
            if any(given.values()) and not (given["token_url"] and given["client_id"]):
                raise ValueError(f"{server}_OAUTH_… needs {server}_OAUTH_TOKEN_URL and {server}_OAUTH_CLIENT_ID")
            if given["token_url"] and not (given["client_secret"] or given["refresh_token"]):
                raise ValueError(f"{server}_OAUTH_TOKEN_URL needs {server}_OAUTH_CLIENT_SECRET or …_REFRESH_TOKEN")
            open_ones = [parts for url in known if (parts := urlsplit(url)).username and not parts.password]
            if open_ones and not given["token_url"]:
                raise ValueError(f"{server}_URL names a user without a password: set it, or {server}_OAUTH_TOKEN_URL")
        return self

    @model_validator(mode="after")
    def _complete_oidc(self) -> Self:
        if (self.fleet_oidc_issuer is None) != (self.fleet_oidc_client_id is None):
            raise ValueError("FLEET_OIDC_ISSUER and FLEET_OIDC_CLIENT_ID need each other")
        return self

    @property
    def imap_urls(self) -> list[str]:
        """The folders to poll, one URL each."""
        return _words(self.imap_url)

    @property
    def time_zone(self) -> ZoneInfo:
        """The zone in which the timetable's hours are read."""
        return ZoneInfo(self.fleet_timezone)

    @property
    def servers_file(self) -> Path:
        """Where a running `fleet up` notes the addresses of its embedded servers."""
        return self.fleet_home / SERVERS_FILE


@cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        ConfigurationError: a variable is unknown or invalid; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        problem = error.errors()[0]
        message = problem["msg"].removeprefix("Value error, ")
        name = "".join(str(part) for part in problem["loc"]).upper()
        raise ConfigurationError(f"{name}: {message}" if name else message) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{_FILE} cannot be read: {error}") from None


def usable_home() -> Path:
    """Return FLEET_HOME, made if it is missing; from now on nobody else can read the files this process makes.

    Raises:
        ConfigurationError: it cannot be made, nothing can be written there, or everybody can.
    """
    home = settings().fleet_home
    os.umask(0o077)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        shared = home.stat().st_mode & stat.S_IWOTH
        with tempfile.TemporaryFile(dir=home):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"FLEET_HOME: {home.absolute()} cannot be used ({reason}); set another folder"
        ) from None
    if shared:
        raise ConfigurationError(
            f"FLEET_HOME: every user of this machine can write to {home.absolute()}: set a folder of the fleet's own"
        )
    return home


def database_url() -> str:
    """Return the database's URL: DATABASE_URL, else the embedded server's of the `fleet up` that runs.

    Raises:
        ConfigurationError: it is not set and no embedded server runs under FLEET_HOME.
    """
    return settings().database_url or _embedded("DATABASE_URL")


def direct_database_url() -> str:
    """Return the URL for migrations, which need a session of their own: no pooler in between."""
    return settings().direct_database_url or database_url()


def redis_url() -> str:
    """Return the broker's URL: REDIS_URL, else the embedded server's; raises as `database_url` does."""
    return settings().redis_url or _embedded("REDIS_URL")


def _embedded(variable: str) -> str:
    chosen = settings()
    try:
        if chosen.servers_file.stat().st_uid != os.geteuid():
            raise PermissionError
        servers: dict[str, str] = json.loads(chosen.servers_file.read_text())
        return servers[variable]
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(
            f"{variable} is not set and no embedded server runs under {chosen.fleet_home.absolute()}: set it, "
            "start the fleet with `make run` (fleet up), or set FLEET_HOME to the folder of one that runs"
        ) from None
