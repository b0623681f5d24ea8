"""If these fail, a typing error in the configuration is found out by what it does to customers."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from workers.errors import ConfigurationError
from workers.settings import Settings, database_url, direct_database_url, redis_url, settings, usable_home
from workers.up import _where

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env but the test's own


def test_without_any_variable_nobody_is_written_to() -> None:
    chosen = settings()

    assert (chosen.database_url, chosen.redis_url, chosen.smtp_url) == (None, None, None)
    assert chosen.fleet_timezone == "UTC"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLEET_TIMEZON", "UTC"),
        ("FLEET_", "1"),
        ("DATABASE_URL", "mysql://localhost/crm"),
        ("DATABASE_URL", "postgresql+psycopg://localhost/crm"),
        ("DATABASE_URL", "localhost"),
        ("DIRECT_DATABASE_URL", "http://localhost"),
        ("REDIS_URL", "amqp://localhost"),
        ("SMTP_URL", "mail.example:587"),
        ("SMTP_URL", "smtp://:587"),
        ("SMTP_URL", "smtp://mail.example:70000"),
        ("SMTP_URL", "smtp://care:pass/word@mail.example"),
        ("REDIS_URL", "redis://:x@/0"),
        ("REDIS_URL", "rediss://redis.example:port"),
        ("IMAP_URL", "imaps://care@imap.example:0/INBOX"),
        ("WEB_SEARCH_URL", "https://"),
        ("FLEET_TIMEZONE", "Berlin"),
        ("FLEET_MAIL_FROM", "Customer Care"),
        ("FLEET_BATCH_SIZE", "0"),
        ("FLEET_BATCH_SIZE", "many"),
        ("FLEET_MAX_ATTEMPTS", "-1"),
        ("FLEET_HELPERS", "65"),
        ("FLEET_FLOWER_PORT", "70000"),
        ("IMAP_URL", "imap.example"),
        ("IMAP_URL", "imaps://care@imap.example/INBOX, pop3://care@mail.example"),
        ("FLEET_REPLY_DOMAIN", "reply.fleet.example"),
        ("FLEET_REPLY_SECRET", "short"),
        ("FLEET_APOLLO_DAILY_CREDITS", "-1"),
        ("APOLLO_URL", "ftp://api.apollo.io"),
        ("APOLLO_API_KEY", "schlüssel"),
        ("WEB_SEARCH_URL", "search.example/people"),
    ],
)
def test_an_unknown_or_invalid_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=re.escape(name)) as refusal:
        settings()

    assert "\n" not in str(refusal.value)


def test_an_unknown_name_in_the_file_is_named_too() -> None:
    Path(".env").write_text("FLEET_BATCHSIZE=5\n")

    with pytest.raises(ConfigurationError, match="FLEET_BATCHSIZE"):
        settings()


def test_what_other_programs_keep_in_the_file_is_their_business() -> None:
    Path(".env").write_text("POSTGRES_PASSWORD=secret\nFLEET_CRM_SALES_DIR=data\nfleet_helpers=3\n")

    assert settings().fleet_helpers == 3


def test_a_file_that_cannot_be_read_is_named() -> None:
    Path(".env").write_bytes(b"SMTP_URL=\xff\n")

    with pytest.raises(ConfigurationError, match=r"\.env cannot be read"):
        settings()


def test_a_password_is_never_part_of_the_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://care:pass/word@mail.example")

    with pytest.raises(ConfigurationError, match="SMTP_URL") as refusal:
        settings()
    assert "pass" not in str(refusal.value)


@pytest.mark.parametrize("home", ["/proc/nope", "a-file"])
def test_a_home_that_cannot_be_used_is_named_and_no_server_is_found_there(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a-file").touch()
    monkeypatch.setenv("FLEET_HOME", home)

    with pytest.raises(ConfigurationError, match=r"FLEET_HOME: /.* cannot be used"):
        usable_home()
    with pytest.raises(ConfigurationError, match=r"no embedded server runs under /.*FLEET_HOME"):
        database_url()


def test_a_damaged_note_of_the_servers_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    usable_home()
    settings().servers_file.write_text('{"DATABASE_URL": ')

    with pytest.raises(ConfigurationError, match="no embedded server runs"):
        database_url()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://fleet:pa?ss@db.example/crm", "postgresql://fleet@db.example/crm"),
        ("postgresql://db.example/crm?password=a@b", "postgresql://db.example/crm"),
        ("postgresql:///crm?host=/run&sslpassword=x&user=me", "postgresql:///crm?host=/run&user=me"),
        ("postgresql:///crm?user=me&password=x&sslpassword=y", "postgresql:///crm?user=me"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert _where(url) == shown


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("FLEET_BATCH_SIZE=5\nFLEET_HELPERS=3\nSMTP_URL=\n")
    monkeypatch.setenv("FLEET_HELPERS", "4")

    assert (settings().fleet_batch_size, settings().fleet_helpers, settings().smtp_url) == (5, 4, None)


@pytest.mark.parametrize("url", ["postgresql:///crm?host=/var/run/postgresql", "postgres://user:secret@db.example/crm"])
def test_plain_libpq_urls_are_taken_as_they_are(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    assert database_url() == direct_database_url() == url


def test_settings_cannot_be_changed() -> None:
    changed: Any = settings()
    with pytest.raises(ValidationError):
        changed.fleet_batch_size = 7


def test_without_a_server_the_message_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL is not set .*make run"):
        database_url()
    with pytest.raises(ConfigurationError, match=r"REDIS_URL is not set .*make run"):
        redis_url()


def test_the_example_names_exactly_the_settings_with_their_defaults() -> None:
    example = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", example, re.MULTILINE))

    assert set(shown) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if field.default is not None:
            assert shown[name.upper()] == str(field.default), name


def test_the_example_with_every_line_uncommented_is_valid() -> None:
    example = (ROOT / ".env.example").read_text()
    Path(".env").write_text(re.sub(r"^# (?=[A-Z_]+=)", "", example, flags=re.MULTILINE))
    Path("engines").mkdir()

    assert settings().smtp_url == "smtp://user:secret@mail.example:587?starttls=required"
    assert settings().imap_urls == ["imaps://care%40fleet.example:secret@imap.example:993/INBOX"]
