"""If these fail, somebody without a right to it reads a tenant's business, or a user who has it is turned away."""

import hmac
import json
import re
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg import sql

from tests.crm import Crm
from tests.mail import free_port
from tests.tokens import SECRET, bearer, token
from tests.web import served
from workers.settings import settings
from workers.web.api import routes

READ = "/api/engines/deals/stalled"
# Every operation that is a user's, of today and of later: strangers are told by the same door.
OPERATIONS = [(one.method, "/api" + re.sub(r"\{\w+_id\}", str(uuid4()), one.path)) for one in routes.OPERATIONS]
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def user(crm: Crm) -> UUID:
    return crm.profile(crm.tenant(), email="user@northwind.example")


@pytest.fixture
def jwks_file(client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that users' keys come from; no secret is set."""
    file = tmp_path / "jwks.json"
    file.touch()
    monkeypatch.setenv("FLEET_JWT_JWKS", str(file))
    monkeypatch.delenv("FLEET_JWT_SECRET")
    settings.cache_clear()
    return file


def key_set(**keys: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """The public halves of keys as a JSON Web Key Set, each under its kid."""
    public = []
    for kid, key in keys.items():
        if isinstance(key, rsa.RSAPrivateKey):
            jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        public.append(jwk | {"kid": kid, "use": "sig"})
    return json.dumps({"keys": public})


@contextmanager
def published(text: str) -> Iterator[tuple[str, list[str]]]:
    """A text at an address of this machine, and the paths that it was asked for by."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks.json", asked
        finally:
            server.shutdown()
            thread.join()


NOW = int(time.time())
STRANGERS: dict[str, tuple[int, str, dict[str, Any] | None]] = {
    "nobody": (401, "This needs the header", None),
    "expired": (401, "has expired", {"exp": NOW - 600}),
    "not yet": (401, "not valid yet", {"nbf": NOW + 86_400}),
    "without an end": (401, "lacks one of the claims", {"exp": None}),
    "another audience": (401, "meant for somebody else", {"aud": "another-app"}),
    "no audience": (401, "", {"aud": None}),
    "another secret": (401, "not signed by a key", {"key": "another-secret-of-more-than-32-characters"}),
    "unsigned": (401, "not signed by a key", {"key": None, "algorithm": "none"}),
    "another algorithm": (401, "not signed by a key", {"algorithm": "HS512", "key": SECRET * 2}),
    "a public key that nobody knows": (401, "not signed by a key", {"key": EC_KEY, "algorithm": "ES256"}),
    "the key of a public project": (403, "another role", {"role": "anon"}),
    "the server's own key": (403, "another role", {"role": "service_role"}),
    "a role of another kind": (403, "another role", {"role": ["authenticated"]}),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_strangers_are_refused_everywhere_with_a_sentence(client: httpx.Client, user: UUID, who: str) -> None:
    status, said, claims = STRANGERS[who]
    headers = bearer(user, **claims) if claims is not None else {}
    for method, path in OPERATIONS:
        answer = client.request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert said in answer.json()["detail"]
        assert answer.json()["detail"].endswith(".")
        assert (status == 401) == ("WWW-Authenticate" in answer.headers)


@pytest.mark.parametrize("subject", [None, "", "42", "service_role", "\x00", "' OR true --"])
def test_a_token_whose_subject_is_no_user_is_refused(client: httpx.Client, subject: str | None) -> None:
    claims = {} if subject else {"sub": subject}
    assert client.get(READ, headers=bearer(subject, **claims)).status_code == 401


def test_a_user_without_a_profile_has_no_tenant(client: httpx.Client, user: UUID) -> None:
    answer = client.get(READ, headers=bearer(uuid4()))

    assert answer.status_code == 403
    assert "belongs to no tenant" in answer.json()["detail"]


@pytest.mark.parametrize("text", ["x", "x.y.z", "..", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.", "a" * 5000])
def test_what_is_no_token_is_refused(client: httpx.Client, text: str) -> None:
    for scheme in ("Bearer", "bearer"):
        assert client.get(READ, headers={"Authorization": f"{scheme} {text}"}).status_code == 401
    assert client.get(READ, headers={"Authorization": f"Basic {text}"}).status_code == 401


def test_clocks_may_differ_by_as_much_as_is_set(
    client: httpx.Client, user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = bearer(user, exp=int(time.time()) - 15)
    assert client.get(READ, headers=late).status_code == 200
    monkeypatch.setenv("FLEET_JWT_LEEWAY_SECONDS", "0")
    settings.cache_clear()
    assert client.get(READ, headers=late).status_code == 401


def test_a_token_of_another_sign_in_service_needs_no_role_and_has_its_own_audience(
    client: httpx.Client, user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_JWT_AUDIENCE", "https://crm.northwind.example")
    settings.cache_clear()
    audiences = ["https://crm.northwind.example", "another"]
    assert client.get(READ, headers=bearer(user, role=None, aud=audiences)).status_code == 200
    assert client.get(READ, headers=bearer(user)).status_code == 401


@pytest.mark.parametrize(("key", "algorithm"), [(EC_KEY, "ES256"), (RSA_KEY, "RS256")])
def test_a_public_key_from_a_file_is_enough(
    client: httpx.Client, user: UUID, jwks_file: Path, key: Any, algorithm: str
) -> None:
    jwks_file.write_text(key_set(one=key))

    assert client.get(READ, headers=bearer(user, key=key, algorithm=algorithm)).status_code == 200
    assert client.get(READ, headers=bearer(user, key=key, algorithm=algorithm, kid="two")).status_code == 401
    other = ec.generate_private_key(ec.SECP256R1())
    assert client.get(READ, headers=bearer(user, key=other, algorithm="ES256")).status_code == 401
    assert client.get(READ, headers=bearer(user)).status_code == 401, "no secret is set"


def test_a_key_that_was_changed_in_the_file_counts_at_once(client: httpx.Client, user: UUID, jwks_file: Path) -> None:
    jwks_file.write_text(key_set(one=EC_KEY))
    new = ec.generate_private_key(ec.SECP256R1())
    assert client.get(READ, headers=bearer(user, key=new, algorithm="ES256", kid="two")).status_code == 401

    jwks_file.write_text(key_set(one=EC_KEY, two=new))

    assert client.get(READ, headers=bearer(user, key=new, algorithm="ES256", kid="two")).status_code == 200


@pytest.mark.parametrize("with_secret", [True, False])
def test_a_public_key_is_no_secret_to_sign_with(
    client: httpx.Client, user: UUID, jwks_file: Path, monkeypatch: pytest.MonkeyPatch, with_secret: bool
) -> None:
    jwks_file.write_text(key_set(one=RSA_KEY))
    if with_secret:
        monkeypatch.setenv("FLEET_JWT_SECRET", SECRET)
        settings.cache_clear()
    header, claims, _ = token(user).split(".")
    pem = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for known in (pem, key_set(one=RSA_KEY).encode()):
        forged = urlsafe_b64encode(hmac.digest(known, f"{header}.{claims}".encode(), "sha256")).rstrip(b"=").decode()
        headers = {"Authorization": f"Bearer {header}.{claims}.{forged}"}
        assert client.get(READ, headers=headers).status_code == 401


def test_keys_come_from_an_address_and_one_that_is_unknown_is_not_asked_for_again_and_again(
    client: httpx.Client, user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with published(key_set(one=EC_KEY)) as (address, asked):
        monkeypatch.setenv("FLEET_JWT_JWKS", address)
        settings.cache_clear()
        for _ in range(3):
            assert client.get(READ, headers=bearer(user, key=EC_KEY, algorithm="ES256")).status_code == 200
            assert client.get(READ, headers=bearer(user, key=EC_KEY, algorithm="ES256", kid="x")).status_code == 401
    assert len(asked) <= 2


def test_while_keys_are_out_of_reach_nobody_is_let_in_and_nobody_called_a_forger(
    client: httpx.Client, user: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone, broken = tmp_path / "gone.json", tmp_path / "jwks.json"
    gone.touch()
    broken.write_text("<html>")
    with published("<html>") as (page, _), published("{}") as (empty, _):
        for place in (f"http://127.0.0.1:{free_port()}/jwks.json", page, empty, str(broken), str(gone)):
            monkeypatch.setenv("FLEET_JWT_JWKS", place)
            settings.cache_clear()
            assert client.get(READ, headers=bearer(user)).status_code == 200, "the secret still serves"
            gone.unlink()
            assert client.get(READ, headers=bearer(user, key=EC_KEY, algorithm="ES256")).status_code == 503, place
            gone.touch()


def test_without_a_way_to_know_users_the_api_says_so(
    client: httpx.Client, user: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLEET_JWT_SECRET")
    settings.cache_clear()

    answer = client.get(READ, headers=bearer(user))

    assert answer.status_code == 503
    assert "FLEET_JWT_SECRET" in answer.json()["detail"]


def test_a_connection_goes_back_as_it_came(client: httpx.Client, crm: Crm, user: UUID) -> None:
    stranger = crm.profile(crm.tenant("Contoso"), email="user@contoso.example")
    for one in (user, stranger, uuid4(), user):
        client.get(READ, headers=bearer(one))
    idle = crm.rows(
        "SELECT state, xact_start FROM pg_stat_activity WHERE application_name = 'p1-fleet'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert idle == [{"state": "idle", "xact_start": None}]


def test_who_waits_for_a_lock_is_told_to_try_again(client: httpx.Client, crm: Crm, user: UUID) -> None:
    with crm.connection.transaction():
        crm.connection.execute("LOCK TABLE deals IN ACCESS EXCLUSIVE MODE")
        answer = client.get(READ, headers=bearer(user), timeout=30)
    assert answer.status_code == 503
    assert "try again later" in answer.json()["detail"]
    assert client.get(READ, headers=bearer(user)).status_code == 200


def test_a_lost_connection_is_replaced(client: httpx.Client, crm: Crm, user: UUID) -> None:
    assert client.get(READ, headers=bearer(user)).status_code == 200
    crm.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert client.get(READ, headers=bearer(user)).status_code == 200


def test_a_login_that_may_not_act_for_users_serves_none(
    database_url: str, crm: Crm, user: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"fleet_{uuid4().hex}"
    crm.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' IN ROLE service_role").format(sql.Identifier(role)))
    try:
        url = database_url.replace("postgres@", f"{role}:x@", 1)
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("FLEET_JWT_SECRET", SECRET)
        settings.cache_clear()
        with served() as client:
            assert client.get(READ, headers=bearer(user)).status_code == 503
            assert "must be a member of the role authenticated" in caplog.text
            crm.execute(sql.SQL("GRANT authenticated TO {}").format(sql.Identifier(role)))
            assert client.get(READ, headers=bearer(user)).status_code == 200
    finally:
        crm.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_what_the_role_may_not_do_is_refused(client: httpx.Client, crm: Crm, user: UUID) -> None:
    crm.execute("REVOKE EXECUTE ON FUNCTION get_stalled_deals(uuid, integer) FROM authenticated")

    answer = client.get(READ, headers=bearer(user))

    assert answer.status_code == 403
    assert answer.json()["detail"] == "The database does not let this user do that."


def test_while_the_database_is_away_users_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://127.0.0.1:{free_port()}/nowhere")
    monkeypatch.setenv("FLEET_JWT_SECRET", SECRET)
    settings.cache_clear()
    with served() as client:
        answer = client.get(READ, headers=bearer(uuid4()), timeout=30)

    assert answer.status_code == 503
    assert "try again later" in answer.json()["detail"]
