"""Who calls: a JSON Web Token, as Supabase and others issue it, names a user; one of the fleet's own, a program.

Nothing else of a request is believed.
"""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import jwt
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from workers.errors import ConfigurationError
from workers.runtime.tokens import is_token, token_hash
from workers.settings import settings
from workers.web.api.users import Claims, users

# A secret never verifies what claims to be signed by a public key, nor the other way round.
_SYMMETRIC: Final = "HS256"
_ASYMMETRIC: Final = ("ES256", "RS256", "PS256", "EdDSA")
_JWKS_TIMEOUT_SECONDS: Final = 5
_INVALID: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_UNTRUSTED: Final = "The token is not signed by a key that the fleet trusts."
# The first that fits is said.
_REFUSALS: Final[dict[type[Exception], str]] = {
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.MissingRequiredClaimError: "The token lacks one of the claims exp, aud and sub.",
    jwt.InvalidAudienceError: "The token is meant for somebody else: its audience is not the fleet's.",
    jwt.InvalidSignatureError: _UNTRUSTED,
    jwt.InvalidAlgorithmError: _UNTRUSTED,
    jwt.InvalidKeyError: _UNTRUSTED,
    jwt.PyJWTError: "The token cannot be read.",
    ValueError: "The token's subject is no user: it must be a UUID.",
}
_BAD_TOKENS: Final = {"ended": "The token has expired.", "revoked": "The token was revoked."}

_bearer = HTTPBearer(
    scheme_name="caller", description="the token that a user's sign-in gave, or one of `fleet tokens`", auto_error=False
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        claims: under which the database serves the request; their subject is a profile's id, or a token's.
        operator: the name of an operator's token; None for a tenant's people and programs.
    """

    claims: Claims
    operator: str | None = None

    @property
    def subject(self) -> UUID:
        """The id by which the caller is told from others."""
        return UUID(self.claims["sub"])


async def known_caller(credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]) -> Caller:
    """Return who calls.

    Raises:
        HTTPException: 401, there is no token, or it is expired, revoked, forged or meant for somebody else; 403, it is
            no user's; 429, it calls too often; 503, nobody can be known here.
        ConfigurationError: the keys are out of reach.
    """
    if credentials is None:
        wanted = "This needs the header Authorization: Bearer and a user's token, or one of `fleet tokens`."
        raise HTTPException(401, wanted, {"WWW-Authenticate": "Bearer"})
    if is_token(credentials.credentials):
        return await run_in_threadpool(_program_with, credentials.credentials)
    place = settings().fleet_jwt_jwks
    if place is None or "://" not in place:  # nothing to wait for
        return Caller(_claims_of(credentials.credentials))
    return Caller(await run_in_threadpool(_claims_of, credentials.credentials))


KnownCaller = Annotated[Caller, Depends(known_caller)]


def _program_with(token: str) -> Caller:
    with users.working() as connection:
        # A call that was counted, and whose count is lost with the server, is no loss worth waiting for the disk.
        connection.execute("SET LOCAL synchronous_commit = off")
        row = connection.execute("SELECT * FROM use_token(%s)", [token_hash(token)]).fetchone()
    if row is None or row["state"] != "good":
        said = _BAD_TOKENS[row["state"]] if row else "The token is none of the fleet's."
        raise HTTPException(401, said, _INVALID)
    if row["wait_seconds"] is not None:
        said = "The token was shown more often than it may be within a minute."
        raise HTTPException(429, said, {"Retry-After": str(max(1, row["wait_seconds"]))})
    claims = {"sub": str(row["token_id"]), "role": "authenticated"}
    return Caller(claims, f"token {row['name']}" if row["role"] == "operator" else None)


def _claims_of(token: str) -> Claims:
    """Return the claims of a user's token; raises as `known_caller` does."""
    chosen = settings()
    if chosen.fleet_jwt_secret is None and chosen.fleet_jwt_jwks is None:
        raise HTTPException(503, "Neither FLEET_JWT_SECRET nor FLEET_JWT_JWKS is set, so nobody can be known here.")
    try:
        key = _key_for(token)
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=[_SYMMETRIC] if isinstance(key, str) else _ASYMMETRIC,
            audience=chosen.fleet_jwt_audience,
            leeway=chosen.fleet_jwt_leeway_seconds,
            options={"require": ["exp", "aud", "sub"]},
        )
        UUID(claims["sub"])
    except (jwt.PyJWTError, ValueError) as error:
        raise HTTPException(401, _why(error), _INVALID) from None
    # Supabase also signs tokens for nobody in particular (anon) and for the CRM's own server (service_role).
    if claims.setdefault("role", "authenticated") != "authenticated":
        raise HTTPException(403, "The token is of another role than authenticated: the API serves users who signed in.")
    return claims


def _why(error: Exception) -> str:
    return next(said for kind, said in _REFUSALS.items() if isinstance(error, kind))


def _key_for(token: str) -> str | jwt.PyJWK:
    """Return the key that must have signed a token, by what its header says of it where there are several.

    Raises:
        jwt.PyJWTError: there is none.
        ConfigurationError: no keys are to be had from FLEET_JWT_JWKS.
    """
    chosen = settings()
    secret = chosen.fleet_jwt_secret.get_secret_value() if chosen.fleet_jwt_secret else None
    if chosen.fleet_jwt_jwks is None and secret is not None:
        return secret
    header = jwt.get_unverified_header(token)
    if header.get("alg") == _SYMMETRIC and secret is not None:
        return secret
    if header.get("alg") not in _ASYMMETRIC or chosen.fleet_jwt_jwks is None:
        raise jwt.InvalidAlgorithmError
    key = _published_key(chosen.fleet_jwt_jwks, header.get("kid"))
    if key is None:
        raise jwt.InvalidKeyError
    return key


def _published_key(place: str, name: str | None) -> jwt.PyJWK | None:
    """Return the key of that name from an address or a file.

    Raises:
        ConfigurationError: no keys are to be had there.
    """
    try:
        if "://" in place:
            return _client(place).get_signing_key(str(name))
        return next((key for key in _keys_in(place, Path(place).stat().st_mtime_ns) if key.key_id == name), None)
    except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"FLEET_JWT_JWKS: there are no keys there: {error}") from None
    except jwt.PyJWKClientError:
        return None


@cache
def _client(address: str) -> jwt.PyJWKClient:
    """Return what asks there for keys, at most each half minute for one that it does not know."""
    return jwt.PyJWKClient(address, timeout=_JWKS_TIMEOUT_SECONDS)


@lru_cache(maxsize=1)
def _keys_in(file: str, _changed_at: int) -> list[jwt.PyJWK]:
    return jwt.PyJWKSet.from_dict(json.loads(Path(file).read_text())).keys
