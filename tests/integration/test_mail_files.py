"""If these fail, a mailbox in files is read as something else, or a mail server bounces what it brings."""

import io
import json
import mailbox
from pathlib import Path
from uuid import uuid4

import pytest

from tests.crm import Crm
from tests.inbound import northwind
from tests.letters import letter
from tests.shell import fleet, fleet_process
from workers.db.session import Connection
from workers.errors import UnknownNameError
from workers.inbound.ingest import ingest_batch
from workers.inbound.sources import batches, find_messages, read_file, read_stream


def places(folder: Path) -> dict[str, Path]:
    """The same three messages as a Maildir, an mbox and a folder of .eml files."""
    raws = [letter(f"Hello {n}\n\nFrom here on it is quoted.\n", message_id=f"<{n}@acme.example>") for n in range(3)]
    maildir = mailbox.Maildir(folder / "maildir")
    mbox = mailbox.mbox(folder / "mbox")
    (folder / "eml" / "deep").mkdir(parents=True)
    for number, raw in enumerate(raws):
        maildir.add(raw)
        mbox.add(raw)
        (folder / "eml" / "deep" / f"{number}.eml").write_bytes(raw)
    mbox.close()
    return {"maildir": folder / "maildir", "mbox": folder / "mbox", "eml": folder / "eml"}


@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_every_kind_of_mailbox_holds_the_same_messages(
    connection: Connection, crm: Crm, tmp_path: Path, kind: str
) -> None:
    tenant = northwind(crm)
    path = places(tmp_path)[kind]

    for expected in ("Stored", "Duplicate"):
        messages = [message for file in find_messages(path) for message in read_file(file)]
        outcomes = [o for batch in batches(messages) for o in ingest_batch(connection, batch, tenant=tenant)]
        assert [type(outcome).__name__ for outcome in outcomes] == [expected] * 3
    texts = [row["text"].split() for row in crm.rows("SELECT text FROM inbound_messages ORDER BY message_id")]
    assert texts == [["Hello", str(n), "From", "here", "on", "it", "is", "quoted."] for n in range(3)]


def test_a_pipe_is_one_message_or_an_mbox(tmp_path: Path) -> None:
    single, mbox = letter(), (places(tmp_path)["mbox"]).read_bytes()
    envelope = b"From ann@acme.example Mon Mar  2 10:00:00 2026\n"

    assert list(read_stream(io.BytesIO(single), "-")) == [("-", single)]
    assert list(read_stream(io.BytesIO(envelope + single), "-")) == [("-:1", single)]
    assert len(list(read_stream(io.BytesIO(mbox), "-"))) == 3
    assert list(read_stream(io.BytesIO(b""), "-")) == [("-", b"")]


ONE = b"From: ann@acme.example\nSubject: one\n\nHello\n"
TWO = b"Received: by mx.acme.example;\n Mon, 2 Mar 2026\nFrom: bob@acme.example\n\nFrom here on it is quoted.\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"From ann@acme.example Mon Mar  2 10:00:00 2026\n", b"\nFrom bob@acme.example Mon Mar  2 10:00:01 2026\n"),
        (b"From - Mon Mar 02 10:00:00 2026\n", b"\nFrom - Mon, 02 Mar 2026 10:00:01 +0100\n"),
        (b"From ann@acme.example\n", b"\nFrom bob@acme.example\n"),
        (b"From \n", b"\nFrom \n"),
        (b"From ann\n", b"\nFrom bob\n"),
        (b"From MAILER-DAEMON\n", b"\nFrom ???@??? 2026-03-02T10:00:01Z\n"),
        (b"From ann@acme.example\r\n", b"\r\nFrom bob@acme.example\r\n"),
        (b"From ann Mon Mar  2 10:00:00 2026\n", b"From bob Mon Mar  2 10:00:01 2026\n"),  # no blank line between
    ],
)
def test_an_mbox_is_split_whatever_its_from_lines_say(first: bytes, second: bytes) -> None:
    messages = [
        raw.replace(b"\r\n", b"\n").strip() for _, raw in read_stream(io.BytesIO(first + ONE + second + TWO), "-")
    ]
    assert messages == [ONE.strip(), TWO.strip()]


@pytest.mark.parametrize(
    "sentence",
    [
        b"From here on it is quoted.",
        b"From Paris\nNote: bring bread",
        b"From 10:30 on Monday in 2026 we are away",
        b"From now",
    ],
)
def test_a_sentence_that_begins_with_from_splits_nothing(sentence: bytes) -> None:
    raw = ONE + b"\n" + sentence + b"\n\nAnn\n"
    assert [message for _, message in read_stream(io.BytesIO(b"From ann@acme.example\n" + raw), "-")] == [raw]


def test_what_lies_between_two_from_lines_and_is_no_mail_is_said(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    mbox = b"From ann@acme.example\n" + ONE + b"\nFrom bob@acme.example\nno header\n\nFrom cyd@acme.example\n" + TWO

    outcomes = ingest_batch(connection, list(read_stream(io.BytesIO(mbox), "mbox")), tenant=tenant)
    assert [getattr(outcome, "reason", "stored") for outcome in outcomes] == ["stored", "broken: no header", "stored"]
    assert [row["source"] for row in crm.read("list_set_aside", 10)] == ["mbox:2"]


def test_a_folder_without_mail_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UnknownNameError, match=str(path)):
            find_messages(path)


def test_the_command_counts_what_went_in_and_names_what_did_not(crm: Crm, tmp_path: Path, database_url: str) -> None:
    tenant = northwind(crm)
    folder = places(tmp_path)["eml"]

    def inbound(*arguments: str, stdin: bytes = b"") -> tuple[int, str]:
        done = fleet(database_url, "inbound", *arguments, stdin=stdin)
        return done.returncode, done.stdout

    assert inbound(str(folder)) == (0, "3 stored, 0 duplicates, 0 set aside\n")
    (folder / "bad.eml").write_bytes(b"junk")
    code, printed = inbound(str(folder))
    assert (code, printed.splitlines()) == (
        1, ["0 stored, 3 duplicates, 1 set aside", f"{folder / 'bad.eml'}: broken: no header"],
    )  # fmt: skip
    code, printed = inbound("-", "--tenant", str(tenant), "--json", stdin=letter(to="who@ever.example"))
    assert (code, json.loads(printed)) == (0, {"stored": 1, "duplicates": 0, "set_aside": []})
    code, printed = inbound("--list-aside", "--json")
    assert (code, [row["reason"] for row in json.loads(printed)]) == (0, ["broken: no header"])
    assert inbound()[0] == 2


def test_a_mail_server_gets_nothing_back_that_it_would_bounce(crm: Crm, database_url: str) -> None:
    northwind(crm)
    kept = fleet_process(database_url, "inbound", "-", stdin=b"junk")
    assert kept.returncode == 0  # set aside, so it is kept
    later = 75  # EX_TEMPFAIL
    unknown = fleet_process(database_url, "inbound", "-", "--tenant", str(uuid4()), stdin=letter())
    assert unknown.returncode == later
    away = fleet_process("postgresql://nobody@127.0.0.1:1/none", "inbound", "-", stdin=letter())
    assert away.returncode == later
