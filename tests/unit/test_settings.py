"""If these fail, a typing error in the configuration is found out by what it does to customers."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from workers.errors import ConfigurationError
from workers.settings import Settings, database_url, direct_database_url, redis_url, settings, usable_home
from workers.urls import masked

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # no .env but the test's own
    mask = os.umask(0o022)
    yield
    os.umask(mask)


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
        ("FLEET_CONCURRENCY", "deals=0"),
        ("FLEET_PER_MINUTE", "600"),
        ("FLEET_SMTP_CONNECTIONS", "0"),
        ("FLEET_INBOUND_SECRET", "a-secret-of-more-than-32-characters"),
        ("FLEET_INBOUND_SECRET", "whsec_c2hvcnQ="),
        ("FLEET_FLOWER_PORT", "70000"),
        ("FLEET_FLOWER_LOGIN", "fleet"),
        ("FLEET_LOG", "xml"),
        ("IMAP_URL", "imap.example"),
        ("IMAP_URL", "imaps://care@imap.example/INBOX, pop3://care@mail.example"),
        ("FLEET_REPLY_DOMAIN", "reply.fleet.example"),
        ("FLEET_REPLY_SECRET", "short"),
        ("FLEET_APOLLO_DAILY_CREDITS", "-1"),
        ("APOLLO_URL", "ftp://api.apollo.io"),
        ("APOLLO_API_KEY", "schlüssel"),
        ("WEB_SEARCH_URL", "search.example/people"),
        ("CRON_SECRET", "short"),
        ("CRON_SECRET", "ein langer schlüssel"),
        ("FLEET_JWT_SECRET", "a-secret-of-31-characters-only-"),
        ("FLEET_JWT_JWKS", "http://sign-in.example/jwks.json"),
        ("FLEET_JWT_JWKS", "ftp://sign-in.example/jwks.json"),
        ("FLEET_JWT_JWKS", "no-such-file.json"),
        ("FLEET_JWT_LEEWAY_SECONDS", "301"),
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


@pytest.mark.parametrize("character", "@/?#%[℀")
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgresql://care:hunter{}2x@db.example/crm"),
        ("DATABASE_URL", "postgresql://care:12{}2x@db.example/crm"),
        ("DIRECT_DATABASE_URL", "postgres://care:hunter{}2x@db.example:5432/crm"),
    ],
)
def test_a_password_that_must_be_escaped_is_asked_for_and_not_shown(
    name: str, url: str, character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url.format(character))

    with pytest.raises(ConfigurationError, match="escaped") as refusal:
        settings()
    shown = str(refusal.value)
    assert "hunter" not in shown
    assert "2x" not in shown


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("SMTP_URL", "smtp://care:hunter/2x@mail.example"),
        ("SMTP_URL", "smtp://care:12#2x@mail.example"),
        ("REDIS_URL", "redis://:12?2x@redis.example"),
        ("IMAP_URL", "imaps://care:hunter[2x@imap.example"),
        ("WEB_SEARCH_URL", "https://care:hunter℀2x@search.example"),
    ],
)
def test_a_password_is_never_part_of_the_complaint(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, url)

    with pytest.raises(ConfigurationError, match=name) as refusal:
        settings()
    assert "hunter" not in str(refusal.value)
    assert "2x" not in str(refusal.value)


def test_printed_settings_tell_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in {
        "DATABASE_URL": "postgresql://care:hunter2@db.example/crm",
        "DIRECT_DATABASE_URL": "postgresql://care:hunter2@db.example/crm",
        "REDIS_URL": "redis://:hunter2@redis.example",
        "SMTP_URL": "smtps://care:hunter2@mail.example",
        "IMAP_URL": "imaps://care:hunter2@imap.example",
        "WEB_SEARCH_URL": "https://care:hunter2@search.example",
        "WEB_SEARCH_KEY": "hunter2",
        "APOLLO_API_KEY": "hunter2",
        "FLEET_REPLY_SECRET": "hunter2hunter2hunter2",
        "CRON_SECRET": "hunter2hunter2hunter2",
        "FLEET_JWT_SECRET": "hunter2" * 5,
        "FLEET_JWT_JWKS": "https://care:hunter2@sign-in.example/jwks.json",
    }.items():
        monkeypatch.setenv(name, url)

    assert "hunter2" not in repr(settings()) + str(settings())


@pytest.mark.parametrize("variable", ["SMTP_URL", "IMAP_URL"])
def test_a_password_goes_in_the_clear_to_this_machine_alone_and_only_if_said(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = variable.partition("_")[0].lower()
    for here in ("localhost", "127.0.0.1", "[::1]"):
        monkeypatch.setenv(variable, f"{scheme}://care:secret@{here}?starttls=off")
        settings.cache_clear()
        settings()
    for elsewhere in (f"{scheme}.example?starttls=off", "localhost.example?starttls=off", "localhost?starttls=no"):
        monkeypatch.setenv(variable, f"{scheme}://care:secret@{elsewhere}")
        settings.cache_clear()
        with pytest.raises(ConfigurationError, match=rf"{variable}: \?starttls="):
            settings()


def test_a_home_is_closed_to_others_and_so_is_what_the_fleet_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", "a home")
    (usable_home() / "note").touch()

    assert stat.S_IMODE(Path("a home").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path("a home/note").stat().st_mode) == 0o600


def test_a_home_that_everybody_can_write_to_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("everybodys").mkdir()
    Path("everybodys").chmod(0o1777)
    monkeypatch.setenv("FLEET_HOME", "everybodys")

    with pytest.raises(ConfigurationError, match=r"FLEET_HOME: every user"):
        usable_home()


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
    assert masked(url) == shown


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
        if field.default not in (None, {}):
            assert shown[name.upper()] == str(field.default), name


def test_the_example_with_every_line_uncommented_is_valid() -> None:
    example = (ROOT / ".env.example").read_text()
    Path(".env").write_text(re.sub(r"^# (?=[A-Z_]+=)", "", example, flags=re.MULTILINE))
    Path("engines").mkdir()

    assert settings().smtp_url == "smtp://user:secret@mail.example:587?starttls=required"
    assert settings().imap_urls == ["imaps://care%40fleet.example:secret@imap.example:993/INBOX"]
