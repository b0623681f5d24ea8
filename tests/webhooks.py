"""A receiver of webhooks on the loopback: real HTTPS, with a certificate of its own, which checks what it is told."""

import base64
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.crm import Crm
from tests.provider_server import Call, ProviderServer, Said
from workers.delivery.webhook_call import new_secret

HOST: Final = "hooks.example"
EVENTS: Final = ("action.created", "action.sent", "reply.received", "case.opened", "deal.stalled", "quote.expired")


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 and hooks.example that vouches for itself; the file holds its key, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    today = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = folder / "hooks.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@contextmanager
def receiving(pem: Path, status: int = 204) -> Iterator[ProviderServer]:
    """Run a receiver that answers with a status, unless its script says otherwise."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ProviderServer(lambda _call: Said(status, b""), tls=context) as server:
        yield server


def endpoint(crm: Crm, tenant: UUID, url: str, *events: str) -> tuple[UUID, str]:
    """Let a tenant tell a receiver of these events, or of all; return its id and its secret."""
    secret = new_secret()
    row = crm.one("SELECT add_webhook(%s, %s, %s, %s, 'us') AS id", tenant, url, list(events or EVENTS), secret)
    return row["id"], secret


def verified(call: Call, secret: str) -> dict[str, Any]:
    """What a call says, its signature computed as the standard writes it down: over id.timestamp.body."""
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.raw
    key = base64.b64decode(secret.split("_", 1)[1], validate=True)
    digest = base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{digest}"
    assert call.headers["idempotency-key"] == call.headers["webhook-id"]
    assert call.headers["content-type"] == "application/json"
    return call.payload
