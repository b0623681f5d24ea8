"""Real Chromium, Debian's or Playwright's own, which looks at pages as people do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # a busy machine may be slow


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a browser; where none is installed the test fails in CI, and says so elsewhere."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        program = shutil.which("chromium") or (str(own) if own.exists() else None)
        if program is None:
            reason = "no browser: apt-get install chromium, or playwright install chromium"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        # Root has no sandbox to give, and a container little shared memory.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"] if os.getuid() == 0 else []
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def silent(page: Page) -> Iterator[None]:
    """Fail if a page complains in the browser's console or a script of it breaks."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(f"{page.url}: {message.text}")

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    yield
    assert said == []


def violations(page: Page) -> list[str]:
    """What axe-core finds of serious or critical impact, each with the first element it was found at."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
