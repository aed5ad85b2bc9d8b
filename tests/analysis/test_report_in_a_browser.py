"""The report as someone with a mouse meets it: in Chromium, from a file, and as an artifact in the MLflow UI."""

import re
import socket
import subprocess
import sys
import urllib.request

import pytest
from browser import chromium

from analysis.report.__main__ import main

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]


def answers(port):
    """Whether an MLflow server does at a port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


DRAWN = "document.getElementById('explore')?.dataset.drawn == 'yes'"

COLOURED = """(() => {
  const canvas = document.querySelector("#charts canvas");
  const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < 500; x++) {  // left of the legend
      const [r, g, b] = data.subarray(4 * (y * width + x));
      if (Math.max(r, g, b) - Math.min(r, g, b) > 25) found.push([x, y]);
    }
  return found;
})()"""
"""Where on the charts there is colour, which only marks have."""


@pytest.fixture(scope="module")
def report(demo):
    folder, run_id = demo
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert main([f"sweep={run_id}"]) == 0
    return folder / "figures" / run_id[:12] / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser, report):
    browser.open(report.as_uri())
    assert browser.becomes_true(DRAWN)
    return browser


def test_the_charts_are_drawn_without_network_and_without_complaint(page, report):
    assert len(page.value(COLOURED)) > 1000
    assert {address.partition(":")[0] for address in page.requests()} == {"file", "data"}
    assert [address for address in page.requests() if address.startswith("file")] == [report.as_uri()]
    assert page.complaints() == []
    page.open(report.as_uri(), width=800)
    assert page.becomes_true(DRAWN)
    assert page.value("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_mark_says_what_it_is_and_leads_to_its_run(page):
    page.value("document.getElementById('charts').scrollIntoView()")
    left, top = page.value("(({x, y}) => [x, y])(document.querySelector('#charts canvas').getBoundingClientRect())")
    tooltip = "document.querySelector('#vg-tooltip-element.visible')?.innerText ?? ''"
    told = set()
    trial = ""
    places = page.value(COLOURED)
    rates, trials = ([place for place in places if a < place[1] < b] for a, b in ((0, 300), (330, 640)))
    for x, y in [*rates[:: len(rates) // 10], *trials[::10]]:
        if trial or top + y > 880:
            break
        page.mouse("mouseMoved", left + x, top + y)
        page.value("new Promise(requestAnimationFrame)")
        text = page.value(tooltip)
        told |= {text}
        if "seed" in text:
            page.click(left + x, top + y)
            trial = text
    assert any("converged at some pass" in text and "learning rate = " in text for text in told)
    run = re.search(r"run:?\s+([0-9a-f]{32})", trial)[1]
    shown = page.value("document.querySelector('#run a').href")
    assert re.fullmatch(rf"http://127\.0\.0\.1:5000/#/experiments/\d+/runs/{run}\?workflowType=machine_learning", shown)
    opened = [event["params"]["url"] for event in page.events if event["method"] == "Page.windowOpen"]
    assert opened in ([], [shown])


def test_the_wheel_zooms_and_a_filter_leaves_only_its_conditions(page):
    before = page.value(COLOURED)
    choice = "document.querySelector('#filters select')"
    choose = (
        f"{choice}.value = {choice}.options[1].value; {choice}.dispatchEvent(new Event('change', {{bubbles: true}}))"
    )
    page.value(choose)
    page.becomes_true(f"{COLOURED}.length < {len(before) * 0.8}")
    page.value(choose.replace("options[1]", "options[0]"))
    page.becomes_true(f"{COLOURED}.length > {len(before) * 0.95}")
    page.value("document.getElementById('charts').scrollIntoView()")
    left, top = page.value("(({x, y}) => [x, y])(document.querySelector('#charts canvas').getBoundingClientRect())")
    page.mouse("mouseMoved", left + 300, top + 150)
    page.value("window.unzoomed = document.querySelector('#charts canvas').toDataURL()")
    page.mouse("mouseWheel", left + 300, top + 150, deltaX=0, deltaY=-400)
    page.becomes_true("document.querySelector('#charts canvas').toDataURL() != window.unzoomed")


def test_the_leaderboard_sorts_and_a_claim_opens_its_table(page):
    column = (
        "[...document.querySelectorAll('#table-conditions tbody tr')].map(row => Number(row.cells[{}].dataset.value))"
    )
    for place in (0, 2, 4):
        for order in (1, -1):
            page.value(f"document.querySelectorAll('#table-conditions th button')[{place}].click()")
            values = page.value(f"{column.format(place)}.map(String)")
            assert values == sorted(values, key=lambda text: order * float(text.replace("Infinity", "inf")))
            assert len(values) == 6
    assert not page.value("document.getElementById('table-ert').closest('details').open")
    page.value("document.querySelector('a[href=\"#table-ert\"]').click()")
    page.becomes_true("document.getElementById('table-ert').closest('details').open")


def test_everything_prints(page):
    content = page.pdf()
    assert content.startswith(b"%PDF")
    page.command("Emulation.setEmulatedMedia", media="print")
    shown = "[...document.querySelectorAll('table')].every(table => table.getBoundingClientRect().height > 20)"
    assert page.value(shown)
    assert page.value("getComputedStyle(document.getElementById('explore')).display") == "none"
    assert page.value("[...document.querySelectorAll('figure')].every(f => getComputedStyle(f).breakInside == 'avoid')")
    page.command("Emulation.setEmulatedMedia", media="")


def test_without_scripts_figures_and_tables_are_there(browser, report):
    browser.open(report.as_uri())
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report.as_uri())
    browser.command("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.value("document.getElementById('explore').hidden")
    assert browser.value("[...document.querySelectorAll('img')].every(image => image.naturalWidth > 300)")
    assert browser.value("[...document.querySelectorAll('details')].every(fold => fold.open)")


def test_it_works_as_an_artifact_in_the_mlflow_ui(browser, report, demo):
    folder, run_id = demo
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--backend-store-uri"]
    server = subprocess.Popen(
        [*command, f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not answers(port):
            assert server.poll() is None
        page = f"experiments/1/runs/{run_id}/artifacts/figures/report.html?workflowType=machine_learning"
        browser.open(f"http://127.0.0.1:{port}/#/{page}")
        frame = browser.frame("blob:")
        assert browser.becomes_true(DRAWN, frame)
        assert len(browser.value(COLOURED, frame)) > 1000
    finally:
        server.terminate()
        server.wait()
