"""The pages of ``labelkit ui`` in a real browser: looks, positions of spans, hostile text, keys and accessibility.

They need Chromium on this machine and the package playwright. Where ``LABELKIT_AXE`` names ``axe.min.js`` of the npm
package axe-core, every page is checked with it, too.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import labelkit
from labelkit.config.environment import Environment
from labelkit.plugins.catalog import Catalog
from labelkit.registry import Home, Registry
from labelkit.ui.application import build_application
from labelkit.ui.sessions import Sessions
from labelkit.ui.site import Site
from recorded_runs import start
from serve_stubs import running
from ui_pages import client_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = os.environ.get("LABELKIT_AXE")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (apt-get install chromium)"),
]
#: width of the window → the colours that the visitor prefers
WIDTHS = {360: "dark", 1600: "light"}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31m '\"& {{ 7 * 7 }}"


@dataclass
class Visit:
    """A page in a browser, with what it asked for and what went wrong in it."""

    page: Any
    url: str
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        """Open a page of the server."""
        self.page.goto(self.url + path)
        return self.page

    def wait(self) -> None:
        """Wait for background work to end."""
        self.page.wait_for_timeout(500)
        self.page.wait_for_load_state()
        self.page.wait_for_selector("[hx-trigger]", state="detached", timeout=120_000)

    def check(self) -> None:
        """Check that the page fits, asked nobody else, reported no error, and that axe finds nothing."""
        wide, view = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= view
        assert self.problems == []
        assert [address for address in self.asked if not address.startswith(self.url)] == []
        if AXE:
            self.page.evaluate(Path(AXE).read_text(encoding="utf-8"))
            found = self.page.evaluate("axe.run()")["violations"]
            assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


@pytest.fixture(scope="module")
def shown(home: Path, trained: labelkit.RunResult, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a copy of a home with a trained run, to which others are added."""
    root = tmp_path_factory.mktemp("ui") / "home"
    shutil.copytree(home, root)
    found = Home(root=root)
    with Registry.open(found, create=True) as registry:
        registry.aliases.assign(trained.run, "shown")
        registry.annotations.add_note(trained.run, HOSTILE)
        for seed in (1, 2):
            start(registry, f"ner-seed-{seed}", group="seeds", seed=seed, data=HOSTILE, model=HOSTILE)
            registry.recorder.log_metrics(
                f"ner-seed-{seed}", task="ner", split="validation", metrics={"f1": seed / 3, "loss": 1.0}, step=10,
                epoch=1, chosen=True, train_loss=0.5,
            )  # fmt: skip
            if seed == 1:
                registry.recorder.finish(f"ner-seed-{seed}", "finished", seconds=1.0)
    return found


@pytest.fixture(scope="module")
def url(shown: Home) -> Iterator[str]:
    site = Site(shown, Environment(), Catalog.load, sessions=Sessions(), write=True)
    with running(build_application(site)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=WIDTHS)
def visit(request: pytest.FixtureRequest, browser: Any, url: str) -> Iterator[Visit]:
    # axe is put into the page by the test, which the policy of the page would refuse; another test holds the policy
    context = browser.new_context(
        viewport={"width": request.param, "height": 900}, color_scheme=WIDTHS[request.param], bypass_csp=bool(AXE)
    )
    found = Visit(context.new_page(), url)
    found.page.on("console", lambda message: found.problems.append(message.text))
    found.page.on("pageerror", lambda error: found.problems.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    yield found
    context.close()


def label(visit: Visit, text: str) -> Any:
    """Label a text in the playground and return the page."""
    page = visit.open("/playground?run=ner@shown")
    page.fill("#text", text)
    page.get_by_role("button", name="Label").click()
    page.wait_for_selector(".panel", timeout=120_000)
    return page


def shown_text(page: Any) -> str:
    """Return the labelled text of the playground without the labels."""
    found: str = page.evaluate(
        """() => { const copy = document.querySelector('.labelled').cloneNode(true);
        copy.querySelectorAll('mark > bdi').forEach(one => one.remove()); return copy.textContent; }"""
    )
    return found


#: each page with something on it; the browser reports the status of the last ones
PAGES = (
    "/",
    "/?columns=lr,epochs&sort=-validation",
    "/runs/ner@shown",
    "/runs/ner-seed-2",
    "/runs/ner-seed-1/errors",
    "/groups/seeds",
    "/compare?run=ner@shown&run=ner-seed-1&run=ner-seed-2",
    "/playground",
    "/?where=nothing",
    "/runs/nobody",
    "/login",
)


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_and_ask_nobody_else(visit: Visit, path: str) -> None:
    visit.open(path)
    if path in PAGES[-3:]:
        assert re.fullmatch(r"Failed to load resource: .* 4\d\d .*", visit.problems.pop())
    visit.check()


def test_errors_and_data_fit(visit: Visit) -> None:
    page = visit.open("/runs/ner@shown/errors")
    if page.get_by_role("button", name="Label validation").count():
        page.get_by_role("button", name="Label validation").click()
        visit.wait()
    page.wait_for_selector("table.heat", timeout=120_000)
    visit.check()
    page = visit.open("/runs/ner@shown/errors?view=annotation")
    visit.check()
    page = visit.open("/runs/ner@shown/data")
    visit.wait()
    if page.get_by_role("button", name="Check the data").count():
        page.get_by_role("button", name="Check the data").click()
        visit.wait()
    page.wait_for_selector("#examples", timeout=120_000)
    visit.wait()
    visit.check()


def test_a_look_at_test_is_counted_once(shown: Home, trained: labelkit.RunResult) -> None:
    def scored() -> int:
        with Registry.open(shown, create=False) as registry:
            return registry.runs.get(trained.run).test_scored

    before = scored()
    with client_of(shown) as client:
        path = f"/runs/{trained.run}/errors?split=test"
        form = {"csrf": re.findall(r'name="csrf" value="(\w+)"', client.get(path).text)[0], "split": "test"}
        assert scored() == before
        for _ in range(2):
            client.post(f"/runs/{trained.run}/errors", data=form)
            while "hx-trigger" in client.get(path).text:
                time.sleep(0.1)
        assert scored() == before + 1
        assert "its inspection is counted" in client.get(path).text


def test_the_playground_fits_with_all_its_details(visit: Visit) -> None:
    page = label(visit, "Ada Lovelace was born in London .")
    for summary in page.query_selector_all("details summary"):
        summary.click()
    assert page.locator("td.mono").count() == 7  # a row for each word, with its subwords
    visit.check()


@pytest.mark.parametrize(
    "text",
    [
        "👩🏽‍🔬 Ada 🇬🇧 met Bob 👨‍👩‍👧 in London 🎉 !",
        "التقى محمد صلاح ب Ada في القاهرة .",
        "שלום Ada Lovelace מתל אביב !",
        "Ada Bob Carol London Paris Berlin",
        "e\u0301te\u0301 A\u030angstro\u0308m\nwrote  two   lines\n\n.",
        HOSTILE,
    ],
)
def test_spans_stand_where_they_are_in_the_text(visit: Visit, text: str) -> None:
    page = label(visit, text)
    assert shown_text(page) == text.replace("\x1b", "␛")
    for mark in page.query_selector_all(".labelled mark"):
        start = int(mark.get_attribute("data-start"))
        own = mark.evaluate("one => one.firstChild.textContent")
        assert text[start : start + len(own)].replace("\x1b", "␛") == own
        assert re.search(r": \S+ \d\.\d\d$", mark.text_content())  # the label is text, not a colour alone
    assert page.locator("img").count() == 0
    visit.check()


def test_a_text_of_a_megabyte_is_labelled_whole(browser: Any, url: str) -> None:
    page = browser.new_context().new_page()
    text = "<b>Ada</b> lives . " * 55_000
    form = {"text": text, "run": "ner@shown", "csrf": ""}
    page.goto(f"{url}/playground")
    form["csrf"] = page.locator("input[name=csrf]").first.get_attribute("value")
    answer = page.request.post(f"{url}/playground", form=form, headers={"hx-request": "true"}, timeout=300_000)
    assert answer.status == 200
    content = answer.text()
    assert content.count("&lt;b&gt;") >= 55_000 or content.count("&lt;") >= 110_000
    assert "<b>Ada" not in content
    assert "windows" in content


def test_hostile_names_and_notes_stay_text(visit: Visit) -> None:
    page = visit.open("/runs/ner@shown")
    assert HOSTILE.replace("\x1b", "␛") in page.locator("main").text_content()
    assert page.locator("img").count() == 0
    visit.check()


def test_runs_are_used_with_keys(browser: Any, url: str, shown: Home) -> None:
    page = browser.new_context().new_page()
    page.goto(url)
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") == "open"
    page.keyboard.press("x")
    assert page.locator("input[name=run]:checked").count() == 1
    assert page.locator("#compare button").is_disabled()  # one run is not compared
    page.keyboard.press("/")
    page.keyboard.type("task = ner j")
    assert page.input_value("#where") == "task = ner j"  # keys are text where text is written
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("?")
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/**")


def test_pages_work_without_scripts(browser: Any, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{url}/?where=task+%3D+ner")
    page.locator("a.open").first.click()
    assert page.locator("#lineage").count() == 1
    page.goto(f"{url}/playground?run=ner@shown")
    page.fill("#text", "Ada lives")
    page.get_by_role("button", name="Label").click()
    assert page.locator(".panel").count() == 1
    context.close()


def test_the_policy_stops_what_a_page_should_not_do(browser: Any, url: str) -> None:
    page = browser.new_context().new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.goto(url)
    page.evaluate(
        """() => { const one = document.createElement('script'); one.textContent = 'document.title = "run"';
        document.body.append(one); const image = new Image(); image.src = 'http://127.0.0.1:9/x.png'; }"""
    )
    page.wait_for_timeout(200)
    assert page.title() != "run"
    assert len([line for line in problems if "Content Security Policy" in line]) == 2
