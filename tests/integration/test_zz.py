import pytest
from datetime import timedelta
from tests.crm import NOW, days

def base(crm):
    t = crm.tenant(); crm.open_always(t, mails=5)
    c = crm.client(t); a = crm.contact(t, c)
    return t, c, a
def mails(crm, at=NOW):
    for e in ("deals", "quotes", "feedback"): crm.run(e, at=at)
    return crm.send(at=at)
def show(name, got, want): print(("OK  " if got == want else "BAD ") + name, got, want)

def test_a(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d)
    crm.update("quotes", q, status="rejected")
    show("rejected quote ends its deal", mails(crm), 0)
def test_b(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d); q2 = crm.quote(t, client_id=c, contact_id=a, deal_id=d)
    crm.update("quotes", q, status="accepted")
    show("accepted quote silences sister and deal", mails(crm), 0)
def test_c(crm):
    t, c, a = base(crm)
    o = crm.order(t, client_id=c, contact_id=a, delivered_at=NOW - days(8))
    crm.insert("cases", tenant_id=t, order_id=o, title="Broken", status="open")
    crm.deal(t, client_id=c, contact_id=a)
    show("case on an order without client silences the client's deal", mails(crm), 0)
def test_d(crm):
    t, c, a = base(crm)
    b = crm.contact(t, c, email="ben@acme.example", is_primary=False)
    crm.insert("cases", tenant_id=t, contact_id=b, title="Broken", status="in progress")
    crm.deal(t, client_id=c, contact_id=a)
    show("case of a colleague silences the deal", mails(crm), 0)
def test_e(crm):
    t, c, a = base(crm)
    case = crm.insert("cases", tenant_id=t, client_id=c, title="Broken", status="open")
    crm.deal(t, client_id=c, contact_id=a)
    first = mails(crm)
    crm.update("cases", case, status="closed")
    show("closed case lets it go on", (first, mails(crm, NOW + days(1))), (0, 1))
def test_f(crm):
    t, c, a = base(crm)
    crm.quote(t, client_id=c, contact_id=a); crm.deal(t, client_id=c, contact_id=a)
    crm.run("deals"); crm.run("quotes")
    crm.execute("UPDATE tenant_delivery SET mails_per_day=1")
    show("quote goes before deal same mailbox", (crm.send(), [x["engine"] for x in crm.actions(status="sent")]), (1, ["quotes"]))
def test_g(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d)
    show("quote speaks for its deal", (mails(crm), [x["engine"] for x in crm.actions(status="sent")]), (1, ["quotes"]))
def test_h(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a, stage="Gewonnen"); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d)
    show("won deal in German ends quote", mails(crm), 0)
def test_i(crm):
    t, c, a = base(crm)
    o = crm.order(t, client_id=c, contact_id=a, delivered_at=NOW - days(8))
    crm.run("feedback"); n1 = crm.send()
    c2 = crm.client(t, company_name="Borealis"); crm.contact(t, c2, email="bo@borealis.example")
    crm.update("orders", o, client_id=c2, contact_id=None)
    crm.run("feedback", at=NOW+days(1)); n2 = crm.send(NOW+days(1))
    show("order moved before sending? first sent", (n1, n2), (1, 0))
def test_j(crm):
    t, c, a = base(crm)
    o = crm.order(t, client_id=c, contact_id=a, delivered_at=NOW - days(8))
    crm.run("feedback")
    c2 = crm.client(t, company_name="Borealis"); crm.contact(t, c2, email="bo@borealis.example")
    crm.update("orders", o, client_id=c2, contact_id=None)
    n0 = crm.send(); crm.run("feedback", at=NOW+days(1)); n2 = crm.send(NOW+days(1))
    show("order moved while it waits is asked there", (n0, n2, [x["sent_to"] for x in crm.actions(status="sent")]), (0, 1, ["bo@borealis.example"]))
def test_k(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a)
    crm.run("deals")
    c2 = crm.client(t, company_name="Borealis")
    crm.update("contacts", a, client_id=c2)
    show("contact who moved isn't written about old deal", crm.send(), 0)
def test_l(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d, status="draft", sent_at=None, next_follow_up_at=None)
    crm.one("SELECT send_quote(%s)", q)
    show("quote just sent is activity of deal", mails(crm), 0)
def test_m(crm):
    t, c, a = base(crm)
    d = crm.deal(t, client_id=c, contact_id=a); q = crm.quote(t, client_id=c, contact_id=a, deal_id=d)
    crm.update("deals", d, stage="closed_lost")
    crm.update("deals", d, stage="proposal")
    show("reopened deal today: fresh activity", mails(crm), None)
def test_n(crm):
    t, c, a = base(crm)
    b = crm.contact(t, c, email="ANN+x@acme.example", is_primary=False)
    crm.execute("UPDATE tenant_delivery SET mails_per_day=1, mails_per_week=2")
    for contact in (a, b): crm.order(t, client_id=c, contact_id=contact, delivered_at=NOW - days(8))
    show("survey cooldown by mailbox", (mails(crm), mails(crm, NOW+days(10))), (1, 0))
def test_o(crm):
    t, c, a = base(crm)
    q = crm.quote(t, client_id=c, contact_id=a, max_follow_ups=0)
    show("max 0", (mails(crm), dict(crm.templates())), (0, {"quote_handover": 1}))
