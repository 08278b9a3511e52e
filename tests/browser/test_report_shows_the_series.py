"""A report of 200 audiences over 90 days in a real browser: its figures, its layout, and what it loads.

RECONCILER_SHOTS names a folder that keeps the pictures.
"""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser.test_pages_fit_every_screen import FAINT, QUIET, READABLE
from playwright.sync_api import Browser, sync_playwright
from support.reports import AUDIENCES, OUTCOMES, large_report, runs, spec

from reconciler.core.report import DAYS, Usability
from reconciler.core.rounding import LessThan, rounded_count
from reconciler.core.series import SeriesDay, by_day
from reconciler.render.document.report import HEADINGS
from reconciler.render.html.charts import EDGE, HEIGHT, WIDTH
from reconciler.render.html.report import report_html
from reconciler.render.numbers import ROUNDED

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.promise("read-right"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]

SCREENS = {"phone": (390, 844), "desktop": (1440, 900)}
LOOKS = list(zip(SCREENS, ("light", "dark"), strict=True))
"""Layouts follow from the screen, contrasts from the scheme."""
REPORT = large_report(title="<img src=https://evil.example/x onerror=alert(1)></title><script>" + "W" * 300)
SINCE = REPORT.environments[0].since
POINT = re.compile(r"[ML]([\d.]+),([\d.]+)")
BAR = re.compile(r"M([\d.]+),([\d.]+) V([\d.]+)")
Days = dict[str, tuple[SeriesDay, ...]]
Card = dict[str, Any]

CARDS = """() => Object.fromEntries([...document.querySelectorAll(".card")].map(card => [
  card.querySelector("h4").textContent,
  {
    group: card.closest("details").querySelector("h3").textContent,
    figures: Object.fromEntries([...card.querySelectorAll("figure")].map(one => [
      one.querySelector("b").textContent,
      {
        scale: one.querySelector("span").textContent,
        title: one.querySelector("svg > title").textContent,
        description: one.querySelector("svg > desc").textContent,
        paths: Object.fromEntries(
          [...one.querySelectorAll("path")].map(path => [path.getAttribute("class"), path.getAttribute("d")])
        ),
      },
    ])),
    rows: [...card.querySelectorAll("tr")].slice(1).map(row => [...row.cells].map(cell => cell.textContent)),
  },
]))"""
OUTSIDE = """() => [...document.querySelectorAll("svg, figcaption, p, h4")].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && (box.left < 0 || box.right > innerWidth);
}).length"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report") / "report.html"
    made.write_text(report_html(REPORT), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def days() -> Days:
    return {str(address): found for address, found in by_day(runs(), SINCE).items()}


@pytest.fixture(scope="module")
def cards(browser: Browser, file: Path) -> dict[str, Card]:
    """All that the page shows of each audience, by address: read once for all checks of figures."""
    opened = browser.new_page()
    opened.goto(file.as_uri())
    found: dict[str, Card] = opened.evaluate(CARDS)
    opened.close()
    return found


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("RECONCILER_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def drawn(count: int) -> int:
    found = rounded_count(count)
    return 5 if isinstance(found, LessThan) else found


def day_at(x: str) -> date:
    number = (float(x) - EDGE) * (DAYS - 1) / (WIDTH - 2 * EDGE)
    assert abs(number - round(number)) < 0.05
    return SINCE + timedelta(days=round(number))


def share_at(y: str) -> float:
    return (HEIGHT - EDGE - float(y)) / (HEIGHT - 2 * EDGE)


def test_the_lines_of_sizes_are_the_series(cards: dict[str, Card], days: Days) -> None:
    for address, known in days.items():
        sizes = {day.day: drawn(day.size or 0) for day in known}
        lowest, highest = min(sizes.values()), max(sizes.values())
        figure = cards[address]["figures"]["Size"]
        assert figure["scale"] == f"{lowest:,} to {highest:,}"
        points = POINT.findall(figure["paths"]["line size"])
        assert len(points) == DAYS
        for x, y in points:
            value = lowest + share_at(y) * (highest - lowest)
            assert value == pytest.approx(sizes[day_at(x)], abs=(highest - lowest) / 1_000 + 0.01)


def test_the_bars_are_what_was_added_and_removed(cards: dict[str, Card], days: Days) -> None:
    for address, known in days.items():
        figure = cards[address]["figures"]["Added and removed"]
        most = max(max(drawn(day.adds or 0), drawn(day.removes or 0)) for day in known[1:])
        assert figure["scale"] == f"up to {most:,} a day"
        for look, counts in (
            ("bar comes", {day.day: day.adds or 0 for day in known}),
            ("bar goes", {day.day: day.removes or 0 for day in known}),
        ):
            found = BAR.findall(figure["paths"][look])
            bars = {day_at(x): abs(float(end) - float(middle)) for x, middle, end in found}
            assert bars.keys() == {day for day, count in counts.items() if count}
            for day, length in bars.items():
                value = min(drawn(counts[day]), most)
                assert length / (HEIGHT / 2 - EDGE) * most == pytest.approx(value, abs=most / 1_000)


def test_the_lines_of_match_rates_are_the_series(cards: dict[str, Card], days: Days) -> None:
    for address, known in days.items():
        rates = {day.day: drawn(day.matched or 0) / drawn(day.arrived) for day in known if day.arrived}
        points = POINT.findall(cards[address]["figures"]["Match rate"]["paths"]["line rate"])
        assert len(points) == len(rates)
        for x, y in points:
            assert share_at(y) == pytest.approx(rates[day_at(x)], abs=0.001)


def test_each_table_has_the_rounded_figures_of_each_day(cards: dict[str, Card], days: Days) -> None:
    for address, known in days.items():
        assert [row[:6] for row in cards[address]["rows"]] == [
            [
                day.day.isoformat(),
                *(
                    ROUNDED.count(count)
                    for count in (day.size, day.adds, day.removes, day.arrived, day.matched)
                ),
            ]
            for day in known
        ]


def test_each_chart_has_a_name_and_a_description(cards: dict[str, Card]) -> None:
    figures = [figure for card in cards.values() for figure in card["figures"].values()]
    assert len({figure["title"] for figure in figures}) == 3 * AUDIENCES
    assert all(figure["description"] for figure in figures)


def test_each_audience_is_shown_once_under_its_usability(cards: dict[str, Card]) -> None:
    assert len(cards) == AUDIENCES
    for number, outcome in OUTCOMES.items():
        heading = HEADINGS[Usability(outcome.value)]
        assert cards[str(spec(number).address)]["group"] == f"{heading} 1"


@pytest.mark.parametrize(("screen", "scheme"), LOOKS)
def test_it_fits_is_readable_and_loads_nothing(
    browser: Browser, file: Path, shots: Path, screen: str, scheme: str
) -> None:
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    opened, seen = context.new_page(), list[str]()
    opened.on("request", lambda request: seen.append(request.url))
    opened.on("console", lambda message: seen.append(message.text))
    opened.on("pageerror", lambda error: seen.append(str(error)))
    opened.on("dialog", lambda dialog: seen.append(dialog.message))
    opened.goto(file.as_uri())
    for part, at in (("start", "h1"), ("cards", "#usable-1"), ("end", "#promotion-1")):
        for _ in "12":  # the height of what was never seen is estimated
            opened.evaluate("at => document.querySelector(at).scrollIntoView()", at)
            opened.wait_for_timeout(50)
        opened.screenshot(path=shots / f"report-{screen}-{scheme}-{part}.png")
    opened.evaluate(
        "for (const one of [...document.querySelectorAll('.card details')].slice(0, 9)) one.open = true"
    )
    assert not opened.evaluate("document.scrollingElement.scrollWidth > innerWidth")
    assert opened.evaluate(OUTSIDE) == 0
    assert seen == [file.as_uri()]
    opened.evaluate("for (const one of [...document.querySelectorAll('.card')].slice(9)) one.remove()")
    contrasts = opened.evaluate(FAINT)
    assert not {role: contrast for role, contrast in contrasts.items() if contrast < READABLE}
    context.close()
