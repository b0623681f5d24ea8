"""If these fail, an event is forged, read on its way, or asks a machine inside for what only it may be asked."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mail import free_port
from tests.provider_server import ProviderServer, Said
from tests.webhooks import HOST, certificate, receiving, verified
from workers.delivery import webhook_call
from workers.delivery.public_addresses import ClosedAddressError, addresses_of, is_public
from workers.delivery.webhook_call import (
    Answer,
    Gone,
    NotTaken,
    Taken,
    WebhookCall,
    endpoint_parts,
    new_secret,
    signature,
)

SECRET = new_secret()
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "webhooks.md"


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def receiver(pem: Path) -> Iterator[ProviderServer]:
    with receiving(pem) as server:
        yield server


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name server that says 127.0.0.1 for hooks.example, the first time; returns the names it was asked for."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **options: Any) -> Any:
        if host == HOST:
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def tell(url: str, pem: Path | None, *bodies: bytes) -> list[Answer]:
    trusted = ssl.create_default_context(cafile=pem)
    with WebhookCall(url, SECRET, trusted, allow_private=True) as call:
        return [call.tell(f"evt_{number}", body) for number, body in enumerate(bodies or (b"{}",))]


def failure(url: str, pem: Path | None) -> NotTaken:
    [answer] = tell(url, pem)
    assert isinstance(answer, NotTaken)
    return answer


def test_the_signature_is_the_one_of_the_standards_own_example() -> None:
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_what_the_reference_tells_receivers_to_run_knows_ours_from_anybody_elses(
    pem: Path, receiver: ProviderServer
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  # our own page
    tell(receiver.url, pem, b'{"of": "ours"}')

    [call] = receiver.calls
    assert names["is_ours"](call.headers, call.raw, SECRET)
    assert not names["is_ours"](call.headers, call.raw + b" ", SECRET)
    assert not names["is_ours"](call.headers, call.raw, new_secret())
    assert not names["is_ours"](call.headers | {"webhook-timestamp": "1"}, call.raw, SECRET)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3",  # noqa: S104
        "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.255", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.255",
        "255.255.255.255", "168.63.129.16", "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
        "2001::1", "2001:db8::1", "2002:7f00:1::", "100::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_public_internet_is_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8",
     "64:ff9b::808:808"],
)  # fmt: skip
def test_an_address_of_the_public_internet_is_let_through(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "::1", "::ffff:127.0.0.1"])
def test_no_spelling_of_this_machine_is_taken_for_another(host: str) -> None:
    with pytest.raises(ClosedAddressError, match="not on the public internet"):
        addresses_of(host, 443, allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "hooks.example", "https://", "https://me:secret@hooks.example/", "https://h.example/#x",
     "https://hooks.example:0/", "https://høøks.example/", "https://hooks.example/a b", "https://hooks.example/\n"],
)  # fmt: skip
def test_a_url_that_could_not_be_called_as_it_reads_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot"):
        endpoint_parts(url)


def test_the_host_is_looked_up_once_and_must_show_its_own_certificate(
    pem: Path, receiver: ProviderServer, resolver: list[str]
) -> None:
    url = receiver.url.replace("127.0.0.1", HOST)

    assert tell(url, pem, b"{}", b"{}") == [Taken(), Taken()]
    assert resolver == [HOST], "a second answer could lead elsewhere than the one that was looked at"
    for call in receiver.calls:
        assert verified(call, SECRET) == {}
    assert {call.headers["host"] for call in receiver.calls} == {url.removeprefix("https://")}


def test_a_certificate_of_another_host_or_of_nobody_knows_whom_is_not_told_anything(
    pem: Path, receiver: ProviderServer
) -> None:
    other = failure(receiver.url.replace("127.0.0.1", "localhost"), pem)
    unknown = failure(receiver.url, None)

    assert "certificate is not trusted" in other.error
    assert "certificate is not trusted" in unknown.error
    assert receiver.calls == []


@pytest.mark.parametrize(
    ("status", "down"), [(301, False), (400, False), (404, False), (429, True), (500, False), (503, True), (599, False)]
)
def test_only_2xx_is_success(pem: Path, receiver: ProviderServer, status: int, down: bool) -> None:
    receiver.script = [Said(status)]
    answer = failure(receiver.url, pem)

    assert f"answered {status}" in answer.error
    assert answer.down == down
    assert tell(receiver.url, pem) == [Taken()]


def test_410_is_an_answer_of_its_own(pem: Path, receiver: ProviderServer) -> None:
    receiver.script = [Said(410)]
    assert tell(receiver.url, pem) == [Gone()]


def test_nobody_listening_and_a_host_that_is_none_are_said_in_words(pem: Path) -> None:
    assert failure(f"https://127.0.0.1:{free_port()}/", pem) == NotTaken(
        "it cannot be reached: Connection refused", down=True
    )
    assert "cannot be looked up" in failure("https://nowhere.invalid/", pem).error


def test_a_connection_that_was_closed_meanwhile_is_opened_again(pem: Path) -> None:
    with one_answer_each(pem) as (url, served):
        assert tell(url, pem, b"1", b"2", b"3") == [Taken()] * 3
    assert served == [b"1", b"2", b"3"]


def test_an_answer_that_drips_is_given_up_when_its_time_is_over(pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_call, "_DEADLINE_SECONDS", 0.1)
    with dripping(pem) as url:
        began = time.monotonic()
        assert failure(url, pem).down
        assert time.monotonic() - began < 5


class one_answer_each:  # noqa: N801  # reads as what it does
    """A server that answers each connection once and hangs up without a word; keeps the bodies."""

    def __init__(self, pem: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._served: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> tuple[str, list[bytes]]:
        self._thread.start()
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}/", self._served

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with self._context.wrap_socket(plain, server_side=True) as connection:
                request = b""
                while b"\r\n\r\n" not in request or not request.partition(b"\r\n\r\n")[2]:
                    request += connection.recv(65536)
                self._served.append(request.partition(b"\r\n\r\n")[2])
                self.answer(connection)

    def answer(self, connection: ssl.SSLSocket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class dripping(one_answer_each):  # noqa: N801
    """A server whose first line never ends."""

    def __enter__(self) -> str:  # type: ignore[override]
        return super().__enter__()[0]

    def answer(self, connection: ssl.SSLSocket) -> None:
        try:
            while True:
                connection.sendall(b"x")
                time.sleep(0.02)
        except OSError:
            return
