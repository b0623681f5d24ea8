"""If these fail, a typing error in the configuration is found out by what it does to customers."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from workers.errors import ConfigurationError
from workers.settings import Settings, database_url, direct_database_url, redis_url, settings

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

    assert settings().smtp_url == "smtp://user:secret@mail.example:587?starttls=required"
    assert settings().imap_urls == ["imaps://care%40fleet.example:secret@imap.example:993/INBOX"]
