"""If these fail, one mail keeps a worker busy for minutes, or stops everybody else's."""

import re
import tracemalloc
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from tests.cost import costs_little
from tests.crm import NOW, Crm
from tests.hostile import MAILS, Mail
from tests.imap import ImapServer
from tests.inbound import northwind
from tests.letters import letter
from workers import clock
from workers.db.session import Connection
from workers.inbound import ingest as door
from workers.inbound.imap import poll
from workers.inbound.ingest import Aside, Stored, ingest_batch
from workers.inbound.mime import MAX_BYTES

MOST_SECONDS = 1  # five times what a quiet machine needs for the worst
MOST_MEMORY = 100 * 1024 * 1024
HEAD = b"From: ann@acme.example\nTo: care@northwind.example\nSubject: Re: your message\nIn-Reply-To: <1@acme.example>\n"
MANY = 900
MIXED = b"Content-Type: multipart/mixed; boundary=b\n\n"
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\n\n"

BOMBS = {
    "quotes without end": HEAD + b'To: "' + b'\\"\\' * 310_000 + b"\n\nhi",
    "quotes in many headers": HEAD + (b'To: "' + b'\\"\\' * 3_000 + b"\n") * 100 + b"\nhi",
    "quotes one by one": HEAD + b"Cc: " + b'"\\"\\' * 2_400 + b"\n\nhi",
    "parentheses": HEAD + b"Cc: " + b"(" * 3_000 + b"a@b.example" + b")" * 3_000 + b"\n\nhi",
    "apostrophes": HEAD + (b"Cc: " + b"'" * 9_000 + b"\n") * 100 + b"\nhi",
    "encoded words": HEAD.replace(b"your", b"=?x?q?=ff=ff=ff=ff?= =?y?b?/////w==?= " * 400) + b"\nhi",
    "encoded ids": HEAD + (b"References: " + b"=?x?q?=ff=ff=ff=ff?= " * 400 + b"\n") * 100 + b"\nhi",
    "blanks in headers": HEAD + (b"X: a" + b" \t" * 4_000 + b"b\n") * 100 + b"\nhi",
    "semicolons in every part": HEAD + MIXED + (b"--b\nContent-Type: text/x" + b";" * 10_000 + b"\n\nhello\n") * MANY,
    "parameters in every part": HEAD + MIXED + (b"--b\nContent-Type: text/x" + b";x=y" * 240 + b"\n\nhello\n") * MANY,
    "a report of blank lines": HEAD + b"Content-Type: message/delivery-status\n\n" + b"\n" * 1_000_000,
    "a report of groups": HEAD + b"Content-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 60_000,
    "an almost-boundary": HEAD + b'Content-Type: multipart/mixed; boundary="' + b"-" * 60 + b'x"\n\n'
    + (b"\n" + b"-" * 62) * (MAX_BYTES // 70),
    "levels": HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3))
    + b"\nx" * (MAX_BYTES // 2 - 1_000),
    "a thousand texts": HEAD + MIXED + b"--b\nContent-Type: text/plain; charset=x\n\n\xff\xfe\xfd\xfc\xe0\xe1\n" * 999,
    "signed blocks without end": HEAD + b"\n" + SIGNED * 25_000,
    "uuencoded lines": HEAD + b"Content-Transfer-Encoding: x-uuencode\n\n" + b"\n" * 1_400_000 + b"x",
    "lines of a multipart without parts": HEAD + MIXED + b"\nx" * 740_000 + b"\n--b--\n",
    "flowed texts": HEAD + MIXED + (b"--b\nContent-Type: text/plain; format=flowed\n\n" + b" \n" * 7_000 + b"x\n") * 99,
    "flowed lines": HEAD + b"Content-Type: text/plain; format=flowed\n\n" + b"a \n" * 8_000_000,
    "blanks in quoted-printable": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b" " * 1_400_000 + b"x",
    "japanese that is none": HEAD + b"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B" + b"-!" * 700_000,
    "utf-8 that is none": HEAD + b"Content-Type: text/plain; charset=utf-8\n\n" + b"\xc3\xa9\xff\x92" * 350_000,
    "utf-7 that is none": HEAD + b"Content-Type: text/plain; charset=utf-7\n\n" + b"+AOk\xff" * 300_000,
    "punycode": HEAD + b"Content-Type: text/plain; charset=punycode\n\n" + b"\xffa" * 700_000,
    "a page of tags": HEAD + b"Content-Type: text/html\n\n" + b"<div><p" * 200_000,
    "ids of ours": HEAD + (b"References: " + b"<action.1.aaaaaaaaaaaaaaaa@x>" * 330 + b"\n") * 100 + b"\nhi",
    "references of ours": HEAD + b"\n" + b"Ref: aaaaaaaaaaaaaaaaaaaa " * 50_000,
    "a large attachment": HEAD + MIXED + b"--b\n\nhi\n--b\nContent-Type: application/pdf\n"
    b"Content-Transfer-Encoding: base64\n\n" + (b"A" * 76 + b"\r\n") * (MAX_BYTES // 80) + b"--b--\n",
    "a large text": HEAD + b"\n" + b"All is well here.\r\n" * (MAX_BYTES // 20),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_no_mail_costs_more_than_a_part_of_a_second_and_100_megabytes(name: str) -> None:
    raw = BOMBS[name]
    assert len(raw) <= MAX_BYTES
    assert costs_little(lambda: door._read(raw, None), MOST_SECONDS)
    tracemalloc.start()
    try:
        door._read(raw, None)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.fuzz
@settings(suppress_health_check=list(HealthCheck))
@given(mail=MAILS)
def test_no_hostile_mail_raises_or_stops_its_neighbours(connection: Connection, crm: Crm, mail: Mail) -> None:
    raw = bytes(mail)
    if not crm.rows("SELECT FROM tenant_mailboxes"):
        northwind(crm)
    outcomes = ingest_batch(connection, [("before", letter()), ("hostile", raw), ("after", letter())])

    assert [type(outcome) for outcome in (outcomes[0], outcomes[2])] == [Stored, Stored]
    if isinstance(outcomes[1], Aside):  # for a reason of its own, and for none that nobody foresaw
        assert re.match(r"hostile: |broken: [a-z]|unknown tenant", outcomes[1].reason), outcomes[1].reason
    assert costs_little(lambda: door._read(raw, None), MOST_SECONDS)


def without_subject(mail: bytes) -> bytes:
    """A mail that says nothing at all; one of a subject alone is read."""
    return mail.replace(b"Subject: Re: your message\n", b"", 1)


def test_a_hostile_mail_among_two_tenants_costs_neither_a_mail(connection: Connection, crm: Crm) -> None:
    tenants = [northwind(crm), northwind(crm, "Southwind", "care@southwind.example")]
    harmless = [letter(to=f"care@{name}.example") for name in ("northwind", "southwind") for _ in range(50)]
    hostile = [BOMBS["quotes in many headers"], BOMBS["semicolons in every part"], b"\0\xff", without_subject(HEAD)]
    mails = [(str(number), raw) for number, raw in enumerate([*harmless[:50], *hostile, *harmless[50:]])]

    with clock.at(NOW):
        outcomes = ingest_batch(connection, mails)
    kept = Counter(outcome.tenant for outcome in outcomes if isinstance(outcome, Stored))
    assert all(kept[tenant] >= 50 for tenant in tenants)
    aside = {outcome.source: outcome.reason for outcome in outcomes if isinstance(outcome, Aside)}
    assert set(aside) == {"51", "52", "53"}
    assert all(aside.values())


def test_a_hostile_mail_does_not_hold_a_mailbox_up(connection: Connection, crm: Crm, imap_server: ImapServer) -> None:
    account = "hostile@northwind.example"
    northwind(crm, address=account)
    hostile = [
        BOMBS["semicolons in every part"],
        b"no mail at all\n",
        without_subject(BOMBS["a report of blank lines"]),
    ]
    imap_server.deliver(account, letter(), *hostile, letter())

    with clock.at(NOW):
        assert poll(connection, imap_server.url(account), budget_seconds=60) == {"stored": 2, "aside": 3}
        assert poll(connection, imap_server.url(account), budget_seconds=60) == {}
    assert {row["source"].rpartition("=")[2] for row in crm.rows("SELECT source FROM inbound_rejects")} == {
        "2",
        "3",
        "4",
    }
