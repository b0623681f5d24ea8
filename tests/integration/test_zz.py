from datetime import timedelta
import pytest
from tests.crm import NOW, days
from tests.inbound import followed_up, stored, northwind, asked
from tests.letters import letter, by_hand, OURS
from tests.integration.test_answers import scene
from tests.outbox import suppressed, run
from workers import clock

def out(crm):
    return [(a["kind"], a["template"], a["status"]) for a in crm.actions() if a["kind"] != "email"]

WHO = [
 # name, raw builder(mid), expected kind set
 ("teams recall", lambda m: letter("Ann Archer would like to recall the message, \"Offer\".", answers=[m]), None),
 ("ooo german outlook", lambda m: by_hand("Subject: Automatische Antwort: Angebot", f"In-Reply-To: {m}", "X-Auto-Response-Suppress: All", body="Ich bin bis 14.03.2026 nicht im Büro.\n"), "out_of_office"),
 ("ooo french no header", lambda m: by_hand("Subject: Absence du bureau : Re: offre", f"In-Reply-To: {m}", body="Je suis absente du bureau jusqu'au 16 mars 2026.\n"), "out_of_office"),
 ("ooo gmail vacation", lambda m: by_hand("Subject: Re: your message", f"In-Reply-To: {m}", "Precedence: bulk", "X-Autoreply: yes", body="On vacation till Monday.\n"), "out_of_office"),
 ("zendesk ack", lambda m: by_hand("Subject: [Acme] Re: your message (ticket #4411)", f"In-Reply-To: {m}", "Auto-Submitted: auto-generated", "X-Mailer: Zendesk Mailer", body="Your request (4411) has been received and is being reviewed by our support staff.\n"), "auto_reply"),
 ("freshdesk ack no header", lambda m: by_hand("Subject: Ticket Received - Re: your message", f"In-Reply-To: {m}", body="Dear customer,\nWe would like to acknowledge that we have received your request and a ticket has been created with ID #4411.\nThis is an automated message, please do not reply.\n"), "auto_reply"),
 ("spam challenge", lambda m: by_hand("Subject: Please confirm your message", f"In-Reply-To: {m}", "Auto-Submitted: auto-replied", body="Click to verify.\n"), "auto_reply"),
 ("read receipt disposition", lambda m: by_hand("Subject: Read: your message", f"In-Reply-To: {m}", 'Content-Type: multipart/report; report-type=disposition-notification; boundary=b', body="--b\nContent-Type: text/plain\n\nYour message was read.\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;ann@acme.example\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n"), None),
 ("left company", lambda m: by_hand("Subject: Automatic reply: your message", f"In-Reply-To: {m}", "Auto-Submitted: auto-replied", body="I no longer work at Acme. Please contact bob@acme.example.\n"), None),
 ("plus tag", lambda m: letter("Yes we want it.", sender="Ann <ann+sales@acme.example>", answers=[m]), "reply"),
 ("case", lambda m: letter("Yes we want it.", sender="ANN@ACME.EXAMPLE", answers=[m]), "reply"),
 ("subdomain colleague", lambda m: letter("Yes we want it.", sender="bob@mail.acme.example", answers=[m]), "reply"),
 ("private address", lambda m: letter("Yes we want it.", sender="ann.archer@gmail.com", answers=[m]), "unplaced"),
 ("owner bcc", lambda m: letter("see below", sender="Olive <olive@northwind.example>", answers=[m]), None),
 ("sender header", lambda m: by_hand("From: Ann Archer <ann@acme.example>", "Sender: assistant@acme.example", f"In-Reply-To: {m}"), "reply"),
 ("google group via", lambda m: by_hand("From: 'Ann Archer' via Sales <sales@northwind.example>", "Reply-To: Ann Archer <ann@acme.example>", "X-Original-From: Ann Archer <ann@acme.example>", "List-Id: <sales.northwind.example>", "Precedence: list", f"In-Reply-To: {m}"), "reply"),
 ("noreply portal", lambda m: by_hand("From: Acme Portal <noreply@acme.example>", f"In-Reply-To: {m}", body="Ihre Nachricht ist eingegangen. Diese E-Mail wurde automatisch erstellt.\n"), "auto_reply"),
 ("calendar accept", lambda m: by_hand("Subject: Accepted: Call", f"In-Reply-To: {m}", "Content-Type: text/calendar; method=REPLY", body="BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@acme.example\nEND:VEVENT\nEND:VCALENDAR\n"), "reply"),
]
@pytest.mark.parametrize("name,build,want", WHO, ids=[w[0] for w in WHO])
def test_who(connection, crm, name, build, want):
    s = scene(crm, "quote")
    crm.update("profiles", s.owner, email="olive@northwind.example")
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES ('sales@northwind.example', %s)", s.tenant)
    o = stored(connection, build(s.sent))
    print(name, "->", o.kind, out(crm), crm.row("quotes", s.subject)["follow_up_ended_for"])
    assert want is None or o.kind == want

WHAT = [
 ("references only", lambda m: by_hand(f"References: <x@y> {m}"), "reply"),
 ("outlook thread no id", lambda m: by_hand("Thread-Topic: x", body=f"Yes.\n\nFrom: Northwind\nSent: x\nTo: Ann\n\nHello\nMessage-ID {m}\n"), None),
 ("uppercased id", lambda m: by_hand(f"In-Reply-To: {m.upper()}"), "reply"),
 ("two ids in irt", lambda m: by_hand(f"In-Reply-To: <old@x> {m}"), "reply"),
 ("comment in irt", lambda m: by_hand(f'In-Reply-To: Message from Care of "Mon" {m}'), "reply"),
 ("quoted-printable id", lambda m: by_hand(f"In-Reply-To: =?utf-8?q?{m.replace('@','=40')}?="), None),
 ("tabs folded refs", lambda m: by_hand(f"References: <a@b>\n\t<c@d>\n\t{m}"), "reply"),
]
@pytest.mark.parametrize("name,build,want", WHAT, ids=[w[0] for w in WHAT])
def test_what(connection, crm, name, build, want):
    s = scene(crm, "quote")
    o = stored(connection, build(s.sent))
    print(name, "->", o.kind, o.action)
    assert want is None or o.kind == want
