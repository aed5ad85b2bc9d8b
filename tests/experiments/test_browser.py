"""MLflow's UI in a real browser, on sweeps of 1,008 and 9,990 runs, as somebody sees it who has never seen MLflow.

With SCREENSHOTS set to a folder, what is seen is kept there: the pictures of docs/browsing.md (``make screenshots``).
"""

import itertools
import os
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import pytest
from browser import Browser, chromium, link
from ui import opened_ui

from tracking.record import Run
from tracking.store import Store, open_store

pytestmark = [pytest.mark.services, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SWEEPS = {
    "small": ("lr=0.5,1,2,5", "hidden=2,4,8", "epochs=1500", "seed=range(84)"),
    "large": ("lr=0.1,0.2,0.5,1,2,5", "hidden=2,3,4,6,8", "epochs=500,1500,5000", "seed=range(111)"),
}

ROWS = """[...document.querySelectorAll('a')].filter(a => /\\/runs\\/[0-9a-f]{32}$/.test(a.getAttribute('href') || ''))
    .map(a => a.innerText.trim())"""


def keep(page: Browser, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.picture(Path(folder) / f"{name}.png")


@pytest.fixture(scope="module", params=SWEEPS)
def swept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, empty_store: Path
) -> tuple[str, Path]:
    """A folder with a sweep, and of the small one with its report."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    done = forked.run("-m", "experiments.train", "-m", *SWEEPS[request.param], folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    if request.param == "small":
        drawn = forked.run("-m", "analysis.report", "sweep=latest", folder=folder, environment=environment)
        assert drawn.returncode == 0, drawn.stderr
    return request.param, folder


@pytest.fixture
def store(swept: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(swept[1])
    return open_store("xor")


@pytest.fixture
def opened(
    store: Store, swept: tuple[str, Path], tmp_path: Path, wait_for_server: Callable[[BaseProcess, int], None]
) -> Iterator[tuple[Browser, str]]:
    """A browser that nobody has used, and the link that the command prints."""
    with opened_ui(swept[1], wait_for_server) as address, chromium(tmp_path / "profile") as page:
        yield page, address


def in_order(store: Store) -> list[Run]:
    """The conditions of the sweep, the best first; those without a rank last."""
    found = store.reader.runs(("tags.kind", "=", "condition"))
    return sorted(found, key=lambda run: run.metrics.get("rank", float("inf")))


def close_assistant(page: Browser) -> None:
    """MLflow opens a panel on the first visit, over a third of the page."""
    page.follow("document.querySelector('button[aria-label=Close]')")


def test_conditions_come_first_and_the_view_lasts(opened: tuple[Browser, str], store: Store, swept) -> None:
    page, address = opened
    size, _ = swept
    conditions = in_order(store)
    best = [run.name for run in conditions]
    count = {"small": 12, "large": 90}[size]
    assert len(best) == count
    page.go(address)
    page.see_text(f"{count} matching runs")
    assert page.see(f"(() => {{ const rows = {ROWS}; return rows.length >= 12 && rows; }})()")[:12] == best[:12]
    assert page.see("document.querySelectorAll('.js-line').length") >= 10
    page.see_text("loss/q50")
    close_assistant(page)
    page.see_text("Curves")
    keep(page, f"conditions-{size}")

    page.follow("document.querySelector('input[value=TABLE]')")
    for column in ("rank", "lr", "hidden", "trials", "convergence_rate"):
        page.see(f"[...document.querySelectorAll('[role=columnheader]')].some(e => e.innerText.trim() === '{column}')")
    keep(page, f"table-{size}")
    page.follow("document.querySelector('input[value=CHART]')")

    page.reload()
    page.see_text(f"{count} matching runs")
    assert page.see(f"(() => {{ const rows = {ROWS}; return rows.length >= 12 && rows; }})()")[:12] == best[:12]

    page.follow(link(best[0]))
    page.see_text("trials converged")
    page.see_text("Rank 1 by ERT")
    keep(page, f"condition-{size}")
    page.back()
    page.see_text(f"{count} matching runs")
    assert page.see(f"(() => {{ const rows = {ROWS}; return rows.length >= 12 && rows; }})()")[:12] == best[:12]

    page.go(address)  # the original link brings all of it back, columns and charts
    page.see_text("You're viewing a shared view")


def test_pages_say_what_they_are(opened: tuple[Browser, str], store: Store, swept) -> None:
    """Best and worst condition, and what one of its networks has learned, within three clicks from the link."""
    page, address = opened
    size, _ = swept
    base = address.partition("#")[0]
    conditions = in_order(store)
    (sweep,) = store.reader.sweeps()
    page.go(address)
    page.see_text("matching runs")
    close_assistant(page)
    page.follow(link(conditions[0].name))  # one
    picture = page.see(f"({link('Decision surfaces')} || {{}}).href")
    page.go(picture)  # two
    assert page.see("[...document.images].find(image => image.naturalWidth > 500).naturalWidth") > 500
    keep(page, f"surfaces-{size}")

    trial = store.reader.trials(("params.seed", "=", "7"))[0]
    page.go(f"{base}#/experiments/{store.experiment_id}/runs/{trial.run_id}?workflowType=machine_learning")
    page.see_text("epochs")
    page.see_text("Loss on a log scale")
    page.follow("[...document.querySelectorAll('button, a, span')].find(e => e.innerText === 'Show more')")
    page.see_text("To repeat it:")
    keep(page, f"run-{size}")
    page.go(page.see(f"({link('Loss on a log scale')} || {{}}).href"))
    assert page.see("document.querySelectorAll('.js-line').length") >= 1
    ticks = page.see("(() => { const t = [...document.querySelectorAll('.ytick')].map(e => "
                     "[parseFloat(e.textContent), e.getBoundingClientRect().y]).filter(p => p[0] > 0); "
                     "return t.length > 2 && t; })()")  # fmt: skip
    keep(page, f"loss-{size}")
    ratios = [(lower[1] - upper[1]) / (upper[0] - lower[0]) for lower, upper in itertools.pairwise(ticks)]
    assert ratios[0] > 1.02 * ratios[-1]  # pixels a unit shrink towards the top: a logarithmic scale

    page.go(f"{base}#/experiments/{store.experiment_id}/runs/{sweep.run_id}?workflowType=machine_learning")
    page.see_text(f"{sweep.metrics['jobs']:,.0f} jobs, {sweep.metrics['jobs']:,.0f} finished")
    keep(page, f"sweep-{size}")
    table = page.see(f"({link('as a table')} || {{}}).href")
    report = page.see(f"({link('its report')} || {{}}).href")
    page.go(table)
    page.see_text("conditions.json")
    for key in ("rank", "trials", "hidden"):
        page.see_text(key)
    keep(page, f"sweep-table-{size}")
    if size == "small":
        page.go(report)
        page.see("Boolean(document.querySelector('iframe'))")
        keep(page, "report")

    page.go(f"{base}#/experiments/{store.experiment_id}/runs?workflowType=machine_learning")  # a bare `mlflow ui`
    page.see_text("Newest sweep, best conditions first")
    keep(page, f"experiment-{size}")
    newest = page.see(f"({link('Newest sweep, best conditions first')} || {{}}).href")
    assert newest.partition("#")[2] == address.partition("#")[2]
