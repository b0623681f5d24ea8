"""(e) Delivery of e-mail by one process, against a bare loop over one connection."""

import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from bench.servers import filled_database
from workers.delivery.channels import SmtpChannel
from workers.delivery.deliver import deliver
from workers.delivery.message import compose
from workers.delivery.texts import Text
from workers.settings import Settings

_MESSAGES = 5_000


def measure(server: str) -> dict[str, Any]:
    """Return messages per second of the fleet and of the loop."""
    with _sink() as port, filled_database(server, "delivery") as (_, connection):
        bare = _bare_loop(port)
        settings = Settings(smtp_url=f"smtp://127.0.0.1:{port}")
        started = time.perf_counter()
        done = deliver(connection, SmtpChannel(f"smtp://127.0.0.1:{port}"), settings)
        fleet = done["sent"] / (time.perf_counter() - started)
    assert done == {"sent": _MESSAGES}, done
    return {
        "messages_per_second": {"fleet": round(fleet), "bare_loop": round(bare)},
        "fleet_of_bare_loop": round(fleet / bare, 2),
    }


def _bare_loop(port: int) -> float:
    """Send one composed message again and again."""
    message = compose(
        Text("A question about our offer", "Hello Ann,\n\n" + "is there anything we can help with? " * 10 + "\n"),
        action=1, tenant=UUID(int=1), tenant_name="Acme", address="ann@acme.example", from_name="Acme",
        from_address="care@fleet.example",
    )  # fmt: skip
    with smtplib.SMTP("127.0.0.1", port) as connection:
        started = time.perf_counter()
        for _ in range(_MESSAGES):
            connection.send_message(message)
        return _MESSAGES / (time.perf_counter() - started)


@contextmanager
def _sink() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
