"""A document in a real browser: it fits, it is readable, and it loads nothing.

RECONCILER_SHOTS names a folder that keeps the pictures.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from golden import plan_cases as cases
from golden.document_cases import DOCUMENTS
from playwright.sync_api import Browser, Page, sync_playwright

from reconciler.render.document.model import Document
from reconciler.render.document.plan import plan_document
from reconciler.render.html.document import html
from reconciler.render.numbers import ROUNDED, NumberFormat

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.promise("read-right"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)
SCREENS = {"phone": (360, 740), "desktop": (1280, 800)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS = [(screen, scheme) for screen in SCREENS for scheme in SCHEMES]
READABLE = 4.5
"""The contrast that WCAG AA asks of text."""

FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return rgba("Canvas");
  };
  const faint = {};
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const pair = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const role = element.tagName + "." + element.className;
    faint[role] = Math.min(faint[role] ?? 99, (pair[0] + 0.05) / (pair[1] + 0.05));
  }
  return faint;
}"""


def _page(make: Callable[[NumberFormat], Document]) -> str:
    return html(make(ROUNDED), "sha256:" + "5e" * 32)


def _hostile(text: str) -> Document:
    one = replace(cases.LAPSED, name=text, address=replace(cases.LAPSED.address, audience=text))
    return plan_document(
        cases.plan(cases.replacement(one, 9), cases.create(one, 9), notes=(text,)), cases.ENVIRONMENT, ROUNDED
    )


PAGES: dict[str, Callable[[], str]] = {
    **{case: partial(_page, make) for case, make in DOCUMENTS.items()},
    "one-long-word": lambda: html(_hostile("W" * 600)),
    "markup": lambda: html(
        _hostile("<img src=https://evil.example/x onerror=alert(1)></details></style><script>")
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    """The one page that all documents are opened in: a page costs as much as ten documents."""
    return browser.new_page()


@pytest.fixture(params=LOOKS, ids="-".join)
def page(tab: Page, request: pytest.FixtureRequest) -> Page:
    _look(tab, *request.param)
    return tab


def _look(tab: Page, screen: str, scheme: Literal["light", "dark"]) -> None:
    width, height = SCREENS[screen]
    tab.set_viewport_size({"width": width, "height": height})
    tab.emulate_media(color_scheme=scheme)


@contextmanager
def _opened(page: Page, case: str, folder: Path) -> Iterator[tuple[list[str], str]]:
    """All that the page asks for or complains about, and its own address."""
    file = folder / f"{case}.html"
    file.write_text(PAGES[case](), encoding="utf-8")
    seen: list[str] = []
    listeners: dict[str, Callable[[Any], None]] = {
        "request": lambda request: seen.append(request.url),
        "console": lambda message: seen.append(message.text),
        "pageerror": lambda error: seen.append(str(error)),
        "dialog": lambda dialog: seen.append(dialog.message),
    }
    for event, listener in listeners.items():
        page.on(event, listener)  # type: ignore[call-overload]
    page.goto(file.as_uri())
    yield seen, file.as_uri()
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


def _overflows(page: Page) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth > innerWidth"))


def _picture(tab: Page, case: str) -> None:
    if asked := os.environ.get("RECONCILER_SHOTS"):
        for screen, scheme in LOOKS:
            _look(tab, screen, scheme)
            tall = tab.evaluate("document.scrollingElement.scrollHeight") > 4_000
            tab.screenshot(path=Path(asked) / f"{screen}-{scheme}-{case}.png", full_page=not tall)


def _overflowing(tab: Page) -> list[tuple[str, str]]:
    """The screens and color schemes, one after the other, in which the page is too wide."""
    found = []
    for look in LOOKS:
        _look(tab, *look)
        found += [look] if _overflows(tab) else []
    return found


@pytest.mark.parametrize("case", PAGES)
def test_it_fits_every_screen_and_asks_for_nothing(tab: Page, case: str, tmp_path: Path) -> None:
    _look(tab, "phone", "light")
    with _opened(tab, case, tmp_path) as (seen, itself):
        _picture(tab, case)
        assert _overflowing(tab) == []
        closed = tab.locator("details:not([open]) > summary")
        while closed.count():
            closed.first.click()
        assert _overflowing(tab) == []
        assert seen == [itself]


@pytest.mark.parametrize("case", ["adds-and-removes", "blocked-by-guards", "replace", "two-seats", "forget",
                                  "partial-failure", "wrong-manifests", "drift", "no-change"])  # fmt: skip
def test_every_text_has_enough_contrast(page: Page, case: str, tmp_path: Path) -> None:
    with _opened(page, case, tmp_path):
        contrasts = page.evaluate(FAINT)
    assert len(contrasts) > 3
    assert not {role: contrast for role, contrast in contrasts.items() if contrast < READABLE}


def test_long_parts_unfold_without_a_script_and_on_paper(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with _opened(page, "five-hundred", tmp_path):
        row = page.get_by_text("audience-001")
        assert not row.is_visible()
        page.get_by_role("heading", name="Update").click()
        assert row.is_visible()
        page.reload()
        page.emulate_media(media="print")
        assert row.is_visible()
    context.close()
