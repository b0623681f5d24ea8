"""If these fail, somebody cannot use the console: with a mouse, by keyboard, on a phone, read aloud, without scripts.

With CONSOLE_PICTURES=FOLDER the pages that are looked at are also kept there as pictures.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import running_chromium, silent, violations
from tests.crm import Crm, wait_until
from tests.web import served
from workers.db.session import Connection
from workers.delivery.deliver import channel_for, deliver
from workers.engines.registry import all_engines
from workers.load.demo import load_demo
from workers.runtime.console_links import new_link
from workers.runtime.dispatch import run_engine
from workers.settings import settings, usable_home

TENANT = "Alpenglow Instruments"  # reviews what its quotes engine suggests
PAGES = {
    "today": "/console/",
    "actions": "/console/actions",
    "suggestions": "/console/actions?status=suggested",
    "nothing": "/console/actions?contact=nobody@nowhere.example",
    "action": "/console/actions/{action}",
    "edit": "/console/actions/{action}/edit",
    "found": "/console/find?q=nothing-of-that-name",
    "timeline": "/console/find?q={address}",
    "compliance": "/console/compliance",
    "check": "/console/compliance/{check}",
    "conflicts": "/console/conflicts",
    "runs": "/console/runs",
    "run": "/console/runs/{run}",
    "backfill": "/console/runs/backfill",
    "settings": "/console/settings",
    "words": "/console/words",
    "templates": "/console/templates",
    "template": "/console/templates/quote_follow_up/de",
    "suppressions": "/console/suppressions",
    "insight": "/console/insight",
    "figures": "/console/insight/deal_stage_velocity",
    "figure rows": "/console/insight/quote_win_rates/rows?of=total_quotes&days=365",
    "webhooks": "/console/webhooks",
    "tokens": "/console/tokens",
    "people": "/console/people",
    "trail": "/console/trail",
    "missing": "/console/actions/1",
}
OPERATORS = ("backfill",)  # the operator's alone
FILLED_LATER = ("action", "insight")  # by a frame, and by what comes by itself
LOOKS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def client(connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """The pages over the demo tenants, for which each engine has run once."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    usable_home()
    load_demo(connection)
    for engine in all_engines().values():
        run_engine(connection, engine, trigger="manual", batch_size=1000)
    deliver(connection, channel_for(settings()), settings())
    with served() as client:
        yield client


def sign_in(context: BrowserContext, client: httpx.Client, connection: Connection, role: str | None) -> Page:
    """Open the console as the operator, or as a person of the tenant with a role in its CRM."""
    base = str(client.base_url).rstrip("/")
    link = new_link(connection, base, operator="root")
    if role is not None:
        row = connection.execute(
            "SELECT p.id FROM profiles AS p JOIN tenants AS t ON t.id = p.tenant_id"
            " WHERE t.name = %s AND p.role = %s LIMIT 1",
            [TENANT, role],
        ).fetchone()
        assert row is not None
        link = new_link(connection, base, profile=row["id"])
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Today")
    return page


def suggestions(crm: Crm, status: str) -> int:
    [row] = crm.rows(
        "SELECT count(*) AS n FROM scheduled_actions AS a JOIN tenants AS t ON t.id = a.tenant_id"
        " WHERE t.name = %s AND a.status = %s AND a.engine = 'quotes'",
        TENANT, status,
    )  # fmt: skip
    return int(row["n"])


def test_every_page_can_be_read_by_everybody_in_every_light_on_every_screen(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    [action] = crm.rows(
        "SELECT a.id, c.email FROM scheduled_actions AS a JOIN tenants AS t ON t.id = a.tenant_id"
        " JOIN contacts AS c ON c.id = a.contact_id"
        " WHERE t.name = %s AND a.status = 'suggested' AND a.kind = 'email' ORDER BY a.id LIMIT 1",
        TENANT,
    )
    [run] = crm.rows("SELECT max(id) AS id FROM engine_runs")
    [check] = crm.rows(
        "SELECT c.id FROM compliance_checks AS c JOIN tenants AS t ON t.id = c.tenant_id"
        " WHERE t.name = %s AND c.status = 'overdue' LIMIT 1",
        TENANT,
    )
    named = {"action": action["id"], "address": action["email"], "run": run["id"], "check": check["id"]}
    pictures = os.environ.get("CONSOLE_PICTURES")
    problems = []
    for role, look in (("admin", "desktop"), (None, "dark"), ("admin", "phone")):
        with chromium.new_context(**LOOKS[look]) as context:  # type: ignore[arg-type]  # a dict per look
            page = sign_in(context, client, crm.connection, role)
            for name, template in PAGES.items():
                path = template.format(**named)
                expected = 404 if name in ("found", "missing") else 403 if name in OPERATORS and role else 200
                if expected != 200:  # of which the browser's console tells
                    answer = page.goto(f"{client.base_url}{path}")
                else:
                    with silent(page):
                        answer = page.goto(f"{client.base_url}{path}")
                        if name in FILLED_LATER:
                            page.wait_for_load_state("networkidle")
                assert answer is not None
                assert answer.status == expected, path
                if look != "phone":  # the same page for who is read to
                    problems += [f"{name}: {problem}" for problem in violations(page)]
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                problems += [f"{name}: {wider} pixels wider than the screen"] if wider > 0 else []
                if pictures:
                    kept = Path(pictures) / f"{name.replace(' ', '-')}-{role or 'operator'}-{look}.png"
                    page.screenshot(path=kept, full_page=look == "phone")
    assert problems == []


def test_who_is_not_signed_in_finds_the_way_in_by_keyboard(chromium: Browser, client: httpx.Client) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        with silent(page):
            page.goto(f"{client.base_url}/")
            page.keyboard.type("ann@example.com")  # the field has the focus
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        assert violations(page) == []


def test_suggestions_are_approved_in_bulk_after_a_look_at_what_it_means(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    waiting = suggestions(crm, "suggested")
    assert waiting > 1
    with chromium.new_context() as context:
        page = sign_in(context, client, crm.connection, "sales")
        with silent(page):
            page.get_by_role("link", name="to approve: quote follow up").click()
            page.get_by_label("Choose all on this page").check()
            page.get_by_role("button", name="Approve …").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text("Approve")
            expect(page.get_by_text("messages to")).to_be_visible()
            assert violations(page) == []
            assert suggestions(crm, "suggested") == waiting
            page.get_by_label("Why").fill("looked at each")
            page.get_by_role("button", name="Approve").click()
            expect(page.get_by_role("status")).to_contain_text("approved")
    assert suggestions(crm, "suggested") < waiting


def test_a_person_without_a_mouse_chooses_and_cancels_an_action(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    with chromium.new_context() as context:
        page = sign_in(context, client, crm.connection, "sales")
        with silent(page):
            page.goto(f"{client.base_url}/console/actions?engine=quotes&status=suggested")
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
            for key in ("j", "j", "x", "k"):
                page.keyboard.press(key)
            assert page.locator("tbody input:checked").count() == 1
            page.keyboard.press("Enter")  # k left the focus on the first action's link
            expect(page.get_by_role("heading", name="The text")).to_be_visible()
            page.wait_for_load_state()  # with its scripts, which hear keys
            page.keyboard.press("a")
            expect(page.get_by_role("status")).to_contain_text("1 approved")  # on the next one's page
            page.get_by_label("Why").focus()
            page.keyboard.type("the customer called")
            page.get_by_role("button", name="Cancel it").focus()
            page.keyboard.press("Enter")
            expect(page.get_by_role("status")).to_contain_text("1 cancelled")
            page.wait_for_load_state()  # with its scripts, which hear keys
            page.locator("main").click()
            page.keyboard.press("/")
            expect(page.get_by_role("searchbox")).to_be_focused()
    assert (suggestions(crm, "scheduled"), suggestions(crm, "cancelled")) == (1, 1)


def test_what_somebody_writes_and_sets_is_shown_before_it_counts(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    with chromium.new_context() as context:
        page = sign_in(context, client, crm.connection, "admin")
        with silent(page):
            page.goto(f"{client.base_url}/console/templates/quote_follow_up/en")
            page.get_by_role("textbox").last.fill("A question\n{{ nobody_writes_this }}")
            expect(page.get_by_role("alert")).to_contain_text("there is no variable nobody_writes_this")
            page.get_by_role("textbox").last.fill("A question\nIs {{ quote_number }} still of interest?")
            expect(page.locator("#preview .letter").first).to_contain_text("still of interest?")
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_role("status")).to_contain_text("Version 1 is in force")
            page.goto(f"{client.base_url}/console/settings")
            page.get_by_label("deals.lead.max_follow_ups").fill("1")
            expect(page.locator("#what-if")).to_contain_text("instead of")
            page.goto(f"{client.base_url}/console/compliance?status=overdue")
            page.locator("a.cell").first.click()
            page.get_by_label("What speaks for it").fill("they sold the lorry")
            page.get_by_role("button", name="Waive it").click()
            expect(page.get_by_role("status")).to_contain_text("The check is waived")
            page.goto(f"{client.base_url}/console/tokens")
            page.get_by_label("Which program shows it").fill("crm-sync")
            page.get_by_role("button", name="Make it").click()
            secret = page.get_by_label("It is shown this once")
            secret.focus()
            assert page.evaluate("getSelection().toString()") == secret.input_value()
            page.locator("summary", has_text="Revoke crm-sync").click()
            page.get_by_role("button", name="Revoke crm-sync").click()
            expect(page.get_by_role("status")).to_contain_text("good for nothing any more")
            page.get_by_role("link", name="Audit trail").click()
            page.get_by_label("Did what").select_option("revokes a token")
            page.get_by_role("button", name="Show").click()
            expect(page.get_by_role("table")).to_contain_text("crm-sync")
            page.goto(f"{client.base_url}/console/insight?days=365")
            page.locator("#part-quote_win_rates a").first.click()
            expect(page.get_by_role("heading", level=1)).to_contain_text("Total quotes")
    assert crm.rows("SELECT FROM deal_stage_config WHERE max_follow_ups = 1") == []


def test_what_waits_for_a_customer_is_stopped_from_the_customers_page(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    [row] = crm.rows(
        "SELECT c.email, a.id FROM scheduled_actions AS a JOIN tenants AS t ON t.id = a.tenant_id"
        " JOIN contacts AS c ON c.id = a.contact_id WHERE t.name = %s AND a.status = 'suggested' AND a.kind = 'email'"
        " ORDER BY a.id LIMIT 1",
        TENANT,
    )
    with chromium.new_context() as context:
        page = sign_in(context, client, crm.connection, "sales")
        with silent(page):
            page.get_by_role("searchbox").fill(row["email"])
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="What has not left")).to_be_visible()
            page.get_by_label("Why").fill("they are on the phone")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_text("Nothing waits.")).to_be_visible()
            expect(page.get_by_text("they are on the phone").first).to_be_visible()
    assert crm.actions(id=row["id"])[0]["status"] == "cancelled"


def test_everything_is_read_and_decided_without_scripts(chromium: Browser, client: httpx.Client, crm: Crm) -> None:
    waiting = suggestions(crm, "suggested")
    with chromium.new_context(java_script_enabled=False) as context:
        page = sign_in(context, client, crm.connection, "admin")
        for name in ("", "actions", "runs", "insight", "settings", "tokens", "trail"):
            page.goto(f"{client.base_url}/console/{name}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.goto(f"{client.base_url}/console/actions?engine=quotes&status=suggested")
        page.locator("tbody input").first.check()
        page.get_by_role("button", name="Approve …").click()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("status")).to_contain_text("1 approved")
    assert suggestions(crm, "suggested") == waiting - 1


def refreshed(page: Page) -> Page:
    """Let half a minute have passed: then the page asks for news. One that is still asking does not hear it."""
    page.evaluate("document.body.dispatchEvent(new Event('refresh'))")
    page.wait_for_timeout(200)
    return page


def test_the_first_page_keeps_itself_fresh_and_says_when_it_cannot(
    chromium: Browser, client: httpx.Client, crm: Crm
) -> None:
    with chromium.new_context() as context:
        page = sign_in(context, client, crm.connection, "admin")
        stale = page.get_by_text("The fleet did not answer")
        expect(stale).to_be_hidden()
        crm.execute("UPDATE scheduled_actions SET last_error = 'the printer burns' WHERE status = 'suggested'")
        news = page.get_by_text("the printer burns").first
        wait_until(lambda: refreshed(page) and news.is_visible(), "the news")
        context.set_offline(True)
        wait_until(lambda: refreshed(page) and stale.is_visible(), "the warning")
        context.set_offline(False)
        wait_until(lambda: refreshed(page) and stale.is_hidden(), "the end of the warning")
