"""Signing in by the organisation's own provider (OpenID Connect), where FLEET_OIDC_ISSUER names one.

The provider says which address somebody has and vouches for it; whose profile in the CRM bears it is signed in, as by a
mailed link. An authorization code with PKCE (RFC 6749, 7636) is changed for an ID token, which PyJWT reads.
"""

import base64
import hashlib
import logging
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
import jwt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workers.runtime.tokens import new_token, token_hash
from workers.settings import settings
from workers.web.api.users import users
from workers.web.console.door import Words, is_secure, set_session
from workers.web.console.signin import begin_session, sign_in_page

logger = logging.getLogger(__name__)

_BACK: Final = "/console/oidc/back"
_COOKIE: Final = "fleet-oidc"  # what was asked for, until the answer is back
_COOKIE_SECONDS: Final = 600
_TIMEOUT_SECONDS: Final = 10
_LEEWAY_SECONDS: Final = 30
_SIGNED_BY: Final = ("ES256", "RS256", "PS256", "EdDSA")
_SCOPE: Final = "openid email"


def begin(request: Request, _: Words) -> Response:
    """Lead to the provider, and remember in the browser what was asked for."""
    provider, chosen = _provider(), settings()
    state, nonce, verifier = new_token(), new_token(), new_token()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": chosen.fleet_oidc_client_id, "redirect_uri": _way_back(request),
        "scope": _SCOPE, "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    place = provider["authorization_endpoint"]
    response = RedirectResponse(f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}", 303)
    _remember(request, response, f"{state}.{nonce}.{verifier}")
    return response


def finish(request: Request, _: Words) -> Response:
    """Sign in whom the provider vouches for; who works for several tenants chooses one."""
    state, _dot, rest = request.cookies.get(_COOKIE, "").partition(".")
    nonce, _dot, verifier = rest.partition(".")
    if not verifier or request.query_params.get("state") != state:
        raise HTTPException(400, "This sign-in was begun elsewhere, or too long ago. Please begin again.")
    address = _vouched_for(request, nonce, verifier)
    with users.working() as connection:
        people = connection.execute("SELECT * FROM console_people(%s)", [address]).fetchall()
        links = {new_token(): one for one in people}
        for link, one in links.items():
            connection.execute("SELECT make_console_link(%s, %s, NULL)", [token_hash(link), one["profile_id"]])
    if not links:
        raise HTTPException(403, f"{address} is in no profile of the CRM: nobody works here by that address.")
    if len(links) > 1:
        names = {link: one["tenant_name"] for link, one in links.items()}
        response: Response = sign_in_page("choose", who=address, links=names)
    else:
        response = RedirectResponse("/console/", 303)
        set_session(request, response, begin_session(request, *links))
    _remember(request, response, "")
    return response


def _vouched_for(request: Request, nonce: str, verifier: str) -> str:
    """Return the address that the provider vouches for.

    Raises:
        HTTPException: 403, it vouches for none, or refused; 503, it does not answer as it should.
    """
    provider, chosen = _provider(), settings()
    if "code" not in request.query_params:
        raise HTTPException(403, "The provider signed nobody in.")
    try:
        signed = _id_token(request, provider["token_endpoint"], verifier)
        claims = jwt.decode(
            signed, _keys(provider["jwks_uri"]).get_signing_key_from_jwt(signed).key, algorithms=list(_SIGNED_BY),
            audience=chosen.fleet_oidc_client_id, issuer=provider["issuer"], leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )  # fmt: skip
    except (httpx.HTTPError, jwt.PyJWTError, ValueError, LookupError, TypeError) as error:
        logger.warning("%s did not sign anybody in: %s: %s", provider["issuer"], type(error).__name__, error)
        raise HTTPException(503, "The provider did not answer as it should; the log says what is wrong.") from None
    if claims.get("nonce") != nonce:
        raise HTTPException(403, "This answer was meant for another sign-in.")
    address = claims.get("email")
    if not isinstance(address, str) or claims.get("email_verified") is not True:
        raise HTTPException(403, "The provider vouches for no e-mail address of yours (email, email_verified).")
    return address


def _provider() -> dict[str, Any]:
    """Return what the provider says of itself.

    Raises:
        HTTPException: 404, none is set; 503, it cannot be reached, or is another.
    """
    issuer = settings().fleet_oidc_issuer
    if issuer is None:
        raise HTTPException(404, "Signing in by a provider is not set up here (FLEET_OIDC_ISSUER).")
    try:
        return _discovered(issuer)
    except (httpx.HTTPError, ValueError) as error:
        logger.warning("%s cannot be asked how to sign in: %s", issuer, error)
        raise HTTPException(503, "The provider cannot be reached now. A link by mail signs in too.") from None


@cache
def _discovered(issuer: str) -> dict[str, Any]:
    answer = httpx.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=_TIMEOUT_SECONDS)
    found: dict[str, Any] = answer.raise_for_status().json()
    if found.get("issuer") != issuer:
        raise ValueError(f"it calls itself {found.get('issuer')}")
    if missing := {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys():
        raise ValueError(f"it does not say its {missing.pop()}")
    return found


@cache
def _keys(uri: str) -> jwt.PyJWKClient:
    return jwt.PyJWKClient(uri, timeout=_TIMEOUT_SECONDS)


def _id_token(request: Request, place: str, verifier: str) -> str:
    """Change the code that came back for an ID token.

    Raises:
        httpx.HTTPError: the provider cannot be reached, or refuses.
        ValueError, LookupError, TypeError: it answers something else.
    """
    chosen = settings()
    form = {
        "grant_type": "authorization_code", "code": request.query_params["code"], "redirect_uri": _way_back(request),
        "code_verifier": verifier, "client_id": chosen.fleet_oidc_client_id,
    }  # fmt: skip
    auth = None
    if chosen.fleet_oidc_client_secret:  # RFC 6749, 2.3.1: both are escaped
        secret = chosen.fleet_oidc_client_secret.get_secret_value()
        auth = (quote(str(chosen.fleet_oidc_client_id), safe=""), quote(secret, safe=""))
    answer = httpx.post(place, data=form, auth=auth, timeout=_TIMEOUT_SECONDS)
    token: str = answer.raise_for_status().json()["id_token"]
    return token


def _way_back(request: Request) -> str:
    """Return where the provider leads back to: it knows this address, and leads to no other."""
    return f"{settings().fleet_public_url or f'{request.url.scheme}://{request.url.netloc}'}{_BACK}"


def _remember(request: Request, response: Response, asked: str) -> None:
    """Let the browser keep what was asked for until the answer is back, or (empty) forget it."""
    response.set_cookie(
        _COOKIE, asked, max_age=_COOKIE_SECONDS if asked else 0, path="/console/oidc", secure=is_secure(request),
        httponly=True, samesite="lax",
    )  # fmt: skip
