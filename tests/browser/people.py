"""People at their browsers: what each does on the pages, by what the pages call things."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = "chromium-headless-shell"
"""Chromium without what only its windows need: the same pages for half of the processor's time."""
PASSWORD = "correct horse battery staple"
TOKEN = re.compile(r"--token SWMTKN-1-\w+-(\w+)")
"""The secret part of a token in a join command."""
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)  # a busy machine draws a page late; what a page says is the test


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        try:
            yield browser
        finally:
            browser.close()


def complains(message: ConsoleMessage) -> bool:
    """An error or a warning, but for what htmx says of a request whose answer nobody waits for any more.

    It ends one itself where more is typed before the answer is there (``hx-sync="this:replace"``), and the browser
    where the page is left; either it calls an error. An answer that is one, such as 500, it calls another.
    """
    given_up = ("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError")
    return message.type in ("error", "warning") and not message.text.startswith(given_up)


def _launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=shutil.which(CHROMIUM), args=ARGUMENTS)


@dataclass
class Person:
    """Somebody with a browser window of their own. ``complaints``: what the browser's console said against a page."""

    name: str
    page: Page
    complaints: list[str]

    def make_first_account(self, link: str) -> None:
        """Open the link that ``make up`` printed and choose approval by two people."""
        self.page.goto(link)
        self._fill_account()
        self.page.get_by_role("radio", name=re.compile("people|other", re.IGNORECASE)).first.check()
        self._make_account()

    def accept_invitation(self, link: str) -> None:
        """Open a colleague's link and make an account."""
        self.page.goto(link)
        self._fill_account()
        self._make_account()

    def invite(self, address: str, note: str) -> str:
        """Make a one-time link for a colleague and return it."""
        self.page.goto(f"{address}/people")
        self.page.get_by_label("For whom").fill(note)
        self.page.get_by_role("button", name="Make a one-time link").click()
        shown = self.page.get_by_text(re.compile(r"/setup/[\w-]+")).first
        found = re.search(r"/setup/[\w-]+", shown.inner_text())
        assert found
        return address + found.group()

    def fill_ingress(self, *, subnet: str, gateway: str = "", mtu: str = "") -> None:
        """Type the settings of the new ingress, as people do: key by key."""
        for label, text in (("Subnet", subnet), ("Gateway", gateway), ("MTU", mtu)):
            field = self.field(label)
            field.clear()
            field.press_sequentially(text, delay=15)

    def field(self, label: str) -> Locator:
        """The field whose label begins so."""
        return self.page.get_by_label(re.compile(f"^{label}")).first

    def sees(self, text: str | re.Pattern[str], *, ms: int = PATIENCE_MS) -> None:
        """Wait until the page shows the text."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=ms)

    def _make_account(self) -> None:
        self.page.get_by_role("button", name="Make the account").click()
        self.page.wait_for_url(lambda url: "/setup/" not in url)  # signed in; going on sooner would abort that

    def _fill_account(self) -> None:
        self.page.get_by_label("User name").fill(self.name.lower())
        self.page.get_by_label("Name", exact=True).fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_label(re.compile("again", re.IGNORECASE)).fill(PASSWORD)


@contextmanager
def person(browser: Browser, name: str, *, width: int = 1440, height: int = 900) -> Iterator[Person]:
    """A person with a window of this size; at the end the console must have had nothing to say."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(f"{m.text} {m.location['url']}") if complains(m) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield Person(name, page, complaints)
    except BaseException:
        page.screenshot(path=Path(tempfile.gettempdir()) / f"overlayweb-failed-{name}.png")  # what they saw
        raise
    finally:
        context.close()
