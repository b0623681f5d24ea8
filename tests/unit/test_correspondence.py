"""If these fail, an answer cannot be told from a forgery, or every restart makes strangers of our own messages."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.correspondence import Answered, message_id, read_message_ids, read_references, reference
from workers.settings import settings

SENT = Answered(412_345_678, UUID(int=7))


def test_a_message_id_is_read_back_however_it_is_written() -> None:
    ours = message_id(SENT, "northwind.example")

    for text in (ours, ours.strip("<>"), ours.upper(), f"x{ours}y", "\n ".join(ours), f"> {ours}\n> {ours}"):
        [named] = read_message_ids(text.replace("> ", ""))
        assert (named.action, named.genuine) == (SENT.action, True)
        assert named.name == ours.strip("<>").partition("@")[0]


def test_a_message_id_that_was_changed_is_not_genuine() -> None:
    local = message_id(SENT, "northwind.example")[1:-19]
    changed = [local.replace("412345678", "412345679"), local[:-16] + "a" * 16, f"action.1.{SENT.tenant.hex}"]

    for name in changed:
        assert [named.genuine for named in read_message_ids(f"<{name}@northwind.example>")] == [False], name


@given(st.integers(0, 2**48 - 1))
def test_a_reference_is_read_back_and_no_other_letter_does(action: int) -> None:
    ours = reference(action)

    assert read_references(f"Ref: {ours}") == read_references(f"> ref:{ours.upper()}.") == [action]
    for place in range(len(ours)):
        letter = "b" if ours[place] != "b" else "c"
        assert read_references(f"Ref: {ours[:place]}{letter}{ours[place + 1 :]}") == []


@pytest.mark.parametrize(
    "written",
    ["Ref: <b>{}</b>", "<span>Ref:</span>&nbsp;<span>{}</span>", "*Ref: {}*", "Ref: *{}*", "Ref : {}", "Ref：{}"],
)
def test_a_reference_is_read_back_however_a_mail_program_lays_it_out(written: str) -> None:
    assert read_references(written.format(reference(7))) == [7]


@pytest.mark.fuzz
@given(st.text(max_size=200), st.text(alphabet="action.0123456789abcdef@<> \nRef:", max_size=200))
def test_no_text_trips_the_reader(one: str, other: str) -> None:
    for text in (one, other):
        assert not any(named.genuine for named in read_message_ids(text))
        assert read_references(text) == []


def test_the_secret_is_kept_for_the_owner_alone_and_lasts(tmp_path: Path) -> None:
    ours = message_id(SENT, "x.example")
    kept = settings().fleet_home / "reply.secret"

    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    program = (
        "from uuid import UUID; from workers.correspondence import Answered, message_id;"
        "print(message_id(Answered(412345678, UUID(int=7)), 'x.example'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == ours


def test_who_only_reads_mail_makes_no_secret_and_trusts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, token = message_id(SENT, "x.example"), reference(SENT.action)
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "elsewhere"))
    settings.cache_clear()

    assert [named.genuine for named in read_message_ids(ours)] == [False]
    assert read_references(f"Ref: {token}") == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_of_the_operators_signs_and_the_one_before_is_still_known(monkeypatch: pytest.MonkeyPatch) -> None:
    before = message_id(SENT, "x.example")
    monkeypatch.setenv("FLEET_REPLY_SECRET", "one secret for all machines")
    settings.cache_clear()
    now = message_id(SENT, "x.example")

    assert now != before
    assert [named.genuine for named in read_message_ids(f"{before} {now}")] == [True, True]
