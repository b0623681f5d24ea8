"""If these fail, a mailbox that takes no passwords is silent, or costs messages while its account is mended."""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.crm import NOW, Crm
from tests.imap import ImapServer
from tests.letters import letter
from tests.mail import MailServer, free_port
from tests.outbox import run, write
from tests.provider_server import Said
from tests.tokens_server import FIRST, TokenServer
from workers import clock, oauth
from workers.db.session import Connection
from workers.errors import ConfigurationError
from workers.inbound.imap import ImapError, poll
from workers.oauth import TokenError, TokenSource, imap_tokens, smtp_tokens
from workers.settings import Settings, settings

ACCOUNT = "care@northwind.example"
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(autouse=True)
def _other_processes_have_other_tokens() -> Iterator[None]:
    yield
    oauth._kept_source.cache_clear()


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def mail(tokens: TokenServer) -> Iterator[MailServer]:
    """A mail server that takes nothing but tokens."""
    with MailServer(takes_token=tokens.takes) as server:
        yield server


def url_of(mail: MailServer) -> str:
    return f"smtp://care%40northwind.example@127.0.0.1:{mail.port}?starttls=off"


def send(connection: Connection, mail: MailServer, tokens: TokenServer, at: Any = NOW, **more: str) -> Counter[str]:
    return run(connection, url_of(mail), at, fleet_smtp_connections=1, **tokens.settings("smtp", **more))


def source(tokens: TokenServer, **more: str) -> TokenSource:
    found = smtp_tokens(Settings(**tokens.settings("smtp", **more)))  # type: ignore[arg-type]
    assert found is not None
    return found


def test_mail_leaves_with_a_token_and_the_next_pass_goes_on_with_it(
    connection: Connection, crm: Crm, mail: MailServer, tokens: TokenServer
) -> None:
    tenant = crm.tenant()
    for _ in range(2):
        write(crm, tenant, 3)
        assert send(connection, mail, tokens) == {"sent": 3}

    assert mail.tokens == [(ACCOUNT, "token-1")] * 2
    assert tokens.asked == [
        {"grant_type": "client_credentials", "client_id": "fleet", "client_secret": "s3cret of the client",
         "scope": "mail"}
    ]  # fmt: skip


def test_a_token_that_was_taken_back_is_renewed_once_and_nothing_is_late(
    connection: Connection, crm: Crm, mail: MailServer, tokens: TokenServer
) -> None:
    tenant = crm.tenant()
    write(crm, tenant)
    send(connection, mail, tokens)
    tokens.taken_back.add("token-1")
    write(crm, tenant)

    assert send(connection, mail, tokens) == {"sent": 1}
    assert [token for _, token in mail.tokens] == ["token-1", "token-1", "token-2"]


def test_an_account_that_is_refused_for_good_stops_the_channel_and_loses_no_message(
    connection: Connection, crm: Crm, mail: MailServer, tokens: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    write(crm, crm.tenant(), 5)
    tokens.refuses = True

    with caplog.at_level(logging.WARNING):
        assert send(connection, mail, tokens) == {"scheduled": 5}
    assert "delivery stops for now: SMTP login refused: 5.7.3 Authentication unsuccessful" in caplog.text
    assert len(mail.tokens) == 2, "no account is locked by endless tries"
    assert {row["attempts"] for row in crm.actions()} == {0}

    tokens.refuses = False
    assert send(connection, mail, tokens) == {"sent": 5}


@pytest.mark.parametrize("trouble", ["secret", "nobody", "refresh"])
def test_a_token_that_nobody_gives_stops_the_channel_and_says_what_to_check(
    connection: Connection, crm: Crm, mail: MailServer, tokens: TokenServer, trouble: str
) -> None:
    write(crm, crm.tenant(), 2)
    wrong, words = {
        "secret": ({"client_secret": "wr0ng"}, "invalid_client AADSTS7000215: Invalid client secret."),
        "nobody": ({"token_url": f"http://127.0.0.1:{free_port()}/token"}, "cannot be reached"),
        "refresh": ({"refresh_token": "wr0ng"}, "invalid_grant It was used before."),
    }[trouble]

    assert send(connection, mail, tokens, **wrong) == {"scheduled": 2}
    [said] = {row["last_error"] for row in crm.actions()} - {None}
    assert "SMTP_OAUTH_TOKEN_URL" in said
    assert words in said
    assert "wr0ng" not in said
    assert mail.tokens == []
    assert {row["attempts"] for row in crm.actions()} == {0}


def test_a_token_is_renewed_a_minute_before_it_ends(tokens: TokenServer) -> None:
    kept = source(tokens)
    for seconds, expected in ((0, "token-1"), (3539, "token-1"), (3540, "token-2"), (3541, "token-2")):
        with clock.at(NOW + timedelta(seconds=seconds)):
            assert kept.token() == expected


def test_a_refresh_token_that_follows_another_is_kept_for_the_next_process(tokens: TokenServer) -> None:
    assert source(tokens, refresh_token=FIRST).token() == "token-1"
    oauth._kept_source.cache_clear()
    assert source(tokens, refresh_token=FIRST).token() == "token-2"

    assert [asked["refresh_token"] for asked in tokens.asked] == ["refresh-0", "refresh-1"]
    [kept] = Path(settings().fleet_home).glob("*.token")
    assert kept.read_text() == "refresh-2"
    assert kept.stat().st_mode & 0o077 == 0, "nobody else reads it"
    anew = tokens.refresh_token = "given anew"  # noqa: S105
    oauth._kept_source.cache_clear()
    assert source(tokens, refresh_token=anew).token() == "token-3", "what a person gives anew counts"


def test_what_is_no_token_is_none(tokens: TokenServer) -> None:
    for body in (b"<html>", b"[]", b'{"access_token": null}'):
        tokens.script.append(Said(200, body))
        with pytest.raises(TokenError, match="SMTP_OAUTH_TOKEN_URL"):
            source(tokens).token()


def visit(connection: Connection, server: ImapServer, tokens: TokenServer) -> Counter[str]:
    chosen = Settings(imap_url=server.token_url(ACCOUNT), **tokens.settings("imap"))  # type: ignore[arg-type]
    with clock.at(NOW):
        return poll(connection, chosen.imap_urls[0], imap_tokens(chosen), budget_seconds=30)


def test_a_mailbox_is_read_with_a_token_and_one_that_was_taken_back_is_renewed(
    connection: Connection, crm: Crm, imap_server: ImapServer
) -> None:
    tenant = crm.tenant("Northwind")
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", ACCOUNT, tenant)
    imap_server.deliver(ACCOUNT, letter("Hello", to=ACCOUNT))
    with TokenServer(port=imap_server.tokens_port) as tokens:
        assert visit(connection, imap_server, tokens) == {"stored": 1}
        tokens.taken_back.add("token-1")
        imap_server.deliver(ACCOUNT, letter("Again", to=ACCOUNT))
        assert visit(connection, imap_server, tokens) == {"stored": 1}
        assert len(tokens.asked) == 2


def test_a_mailbox_that_refuses_every_token_is_named_and_left_alone(
    connection: Connection, imap_server: ImapServer
) -> None:
    with TokenServer(port=imap_server.tokens_port, refuses=True) as tokens:
        with pytest.raises(ImapError, match=rf"{ACCOUNT}@127.0.0.1/INBOX: the token is refused"):
            visit(connection, imap_server, tokens)
        assert len(tokens.asked) == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"SMTP_URL": "smtp://care@mail.example"}, "SMTP_URL names a user without a password"),
        ({"IMAP_URL": "imaps://a:b@mail.example, imaps://care@mail.example"}, "IMAP_URL names a user without"),
        ({"SMTP_OAUTH_CLIENT_ID": "fleet"}, "needs SMTP_OAUTH_TOKEN_URL"),
        (
            {"IMAP_OAUTH_TOKEN_URL": "https://login.example/token"},
            "needs IMAP_OAUTH_TOKEN_URL and IMAP_OAUTH_CLIENT_ID",
        ),
        (
            {"IMAP_OAUTH_TOKEN_URL": "https://login.example/token", "IMAP_OAUTH_CLIENT_ID": "fleet"},
            "needs IMAP_OAUTH_CLIENT_SECRET",
        ),
        ({"SMTP_OAUTH_TOKEN_URL": "http://login.example/token"}, "SMTP_OAUTH_TOKEN_URL: http:// is for this machine"),
    ],
)
def test_an_account_that_cannot_log_in_is_found_out_at_the_start(
    given: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()

    with pytest.raises(ConfigurationError, match=words):
        settings()
