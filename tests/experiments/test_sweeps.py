"""``python -m experiments.sweeps``, on sweeps that were really run."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from ui import opened_ui

from experiments.sweeps import main, repeat_command
from tracking.provenance import provenance
from tracking.store import Store, open_store
from tracking.view import view

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside MLflow and what it is built on

WaitForServer = Callable[[BaseProcess, int], None]

SWEEP = ("lr=0.5,2", "hidden=[2,2],4", "seed=range(2)", "epochs=60", "task=parity", "task.low=-1")


def launch(folder: Path, *arguments: str) -> str:
    """Run experiments.train and return what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    done = forked.run("-m", "experiments.train", *arguments, folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def swept_folder(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """Run a sweep, the same one widened, and a single run."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(empty_store, folder)
    launch(folder, "-m", *SWEEP)
    launch(folder, "-m", *(argument.replace("range(2)", "range(3)") for argument in SWEEP))
    launch(folder, "lr=1.5", "hidden=3", "epochs=40", r"experiment='it\'s one'")
    return folder


@pytest.fixture
def folder(swept_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work on a copy, but for the artifacts, whose place is fixed."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(swept_folder / "mlflow.db", tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Store:
    return open_store("xor")


def test_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    counts = ("jobs", "finished", "reused", "failed", "killed", "running")
    assert [first[key] for key in counts] == [8, 8, 0, 0, 0, 0]
    assert [second[key] for key in counts] == [12, 4, 8, 0, 0, 0]
    assert [first["state"], second["state"]] == ["finished", "finished"]
    assert first["convergence_rate"] is not None
    assert main(["status"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["sweep", "experiment", "state", "jobs"]
    assert [row.split()[0] for row in rows] == [first["run_id"][:12], second["run_id"][:12]]


def test_the_rate_is_that_of_all_trials(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    main(["status", "--json"])
    states = json.loads(capsys.readouterr().out)
    runs = [
        run
        for run in store.reader.client.search_runs([store.experiment_id], "tags.config_hash LIKE '%'")
        if run.info.run_name != ""
    ]
    for state, seeds in zip(states, ({"0", "1"}, {"0", "1", "2"}), strict=True):
        converged = [run.data.metrics["converged"] for run in runs if run.data.params["seed"] in seeds]
        assert len(converged) == state["jobs"]
        assert state["convergence_rate"] == sum(converged) / len(converged)


def test_nothing_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == main(["repair"]) == main(["sync"]) == 0
    assert "No sweeps yet" in capsys.readouterr().out
    assert main(["show", "latest"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_killed_sweep_is_stale_until_it_is_mended(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        tags = provenance(engine="numba", launcher="ensemble").tags
        dead = subprocess.run(
            [
                sys.executable,
                "-c",
                "from tracking.provenance import *\nimport os\nprint(process_identity(os.getpid()))",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        lost = store.start_parent("lost", {"kind": "sweep", **tags, "pid": str(process.pid), "process": dead})
        mine = store.start_parent("mine", {"kind": "sweep", **tags})
        away = store.start_parent("away", {"kind": "sweep", **tags, "host": "elsewhere"})
        assert main(["status"]) == 0
        table = capsys.readouterr().out
        assert [line.split()[2] for line in table.splitlines()[1:6]] == [
            "finished",
            "finished",
            "stale",
            "running",
            "running",
        ]
        assert "sweeps repair" in table
        assert main(["repair"]) == 0
        said = capsys.readouterr().out
        assert f"KILLED  {lost}" in said
        assert "2 runs are under way" in said
        assert main(["repair", away]) == 0
        assert f"KILLED  {away}" in capsys.readouterr().out
        assert main(["repair", away]) == 1
        assert "nothing to mend" in capsys.readouterr().err
        process.communicate(b"\n")
    assert [run.run_id for run in store.reader.running()] == [mine]


@pytest.mark.parametrize("wanted", ["latest", "lr=2.0 hidden=[2,2] seed=1 task=parity"])
def test_the_command_shown_repeats_the_run(
    folder: Path, wanted: str, capsys: pytest.CaptureFixture[str], store: Store
) -> None:
    if wanted != "latest":
        matching = [
            run
            for run in store.reader.client.search_runs([store.experiment_id], "params.seed = '1'")
            if run.data.params["hidden"] == "[2,2]"
        ]
        wanted = max(matching, key=lambda run: float(run.data.params["lr"])).info.run_id
    assert main(["show", wanted]) == 0
    shown = capsys.readouterr().out
    command = next(line for line in shown.splitlines() if line.startswith("  python -m experiments.train"))
    launch(folder, *shlex.split(command)[3:])
    assert main(["show", "latest"]) == 0
    again = capsys.readouterr().out

    def result(text: str) -> str:
        return text.partition("Result\n")[2].partition("\n\n")[0]

    assert result(again) == result(shown)
    assert "final_loss" in result(shown)
    assert again.partition("To repeat it:\n")[2].splitlines()[0] == command
    assert again.splitlines()[1] != shown.splitlines()[1]


def test_a_run_is_found_by_the_beginning_of_its_id_or_by_name(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    sweep, widened = store.reader.sweeps()
    for wanted in (sweep.run_id, sweep.run_id[:16]):
        assert main(["show", wanted]) == 0
        shown = capsys.readouterr().out
        assert sweep.tags["command"] in shown
        assert f"run {sweep.run_id}" in shown
    for child in store.reader.client.search_runs(
        [store.experiment_id], f"tags.sweep_id = '{widened.run_id}' AND tags.kind = 'trial'"
    ):
        assert main(["show", child.info.run_name]) == 0
        assert f"of sweep {widened.run_id}" in capsys.readouterr().out
    assert main(["show", "lr=0.5 hidden=[2,2]"]) == 1  # a condition of either sweep
    said = capsys.readouterr().err
    assert said.startswith("2 runs are meant")
    assert [line.split()[1:] for line in said.splitlines()[1:]] == [["lr=0.5", "hidden=[2,2]"]] * 2
    assert main(["show", "01"]) == 1
    assert "runs are meant" in capsys.readouterr().err
    for unknown in ("nothing", "", "'; DROP TABLE runs; --", "%", "ffffffffffffffffffffffffffffffff"):
        assert main(["show", unknown]) == 1
        assert "no run" in capsys.readouterr().err


def test_names_cannot_move_the_cursor(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = store.start_parent("\x1b[2J\u202egnihton\n", {"kind": "sweep"})
    assert main(["show", run_id]) == main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J\\u202egnihton\\n" in shown


@example("null")
@example("a\\${b}")
@example("1e5")
@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" '\\\"$={}[],:()"), min_size=1))
def test_any_experiment_is_named_again(name: str) -> None:
    command = repeat_command({"lr": "0.5", "hidden": "[8,4]"}, experiment=name, engine="numba")
    arguments = shlex.split(command)[3:]
    parsed = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(arguments)}
    read = OmegaConf.create({"experiment": str(parsed["experiment"])}).experiment
    assert isinstance(parsed["experiment"], str | QuotedString)
    assert read == name
    assert parsed["hidden"] == [8, 4]


def test_status_needs_no_mlflow(folder: Path) -> None:
    code = """
import sys
from experiments.sweeps import main
main(["status"])
print([name for name in ("mlflow", "pandas", "numba", "hydra") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_view_has_what_the_sweep_varies() -> None:
    plain = view("tags.a = 'b'", ["lr", "hidden"], ["loss", "final_loss", "converged"])
    assert plain["selectedColumns"] == [
        "params.`lr`",
        "params.`hidden`",
        "metrics.`converged`",
        "metrics.`final_loss`",
    ]
    assert plain["searchFilter"] == "tags.a = 'b'"
    trials = view("", ["lr"], ["loss/q10", "loss/q50", "loss/q90", "convergence_rate"])
    median, spread = trials["compareRunCharts"][:2]
    assert median["selectedMetricKeys"] == ["loss/q50"]
    assert spread["selectedMetricKeys"] == ["loss/q10", "loss/q50", "loss/q90"]
    assert plain["compareRunCharts"][0]["selectedMetricKeys"] == ["loss"]
    assert trials["searchFilter"] == ""


def test_the_ui_opens_on_the_newest_sweep_for_this_machine_only(
    store: Store, folder: Path, wait_for_server: WaitForServer
) -> None:
    newest = store.reader.sweeps()[-1]
    with opened_ui(folder, wait_for_server) as link:
        base, _, page = link.partition("/#/")
        assert f"experiments/{store.experiment_id}/runs" in page
        key = f"mlflow.sharedViewState.sweep-{newest.run_id}"
        with urllib.request.urlopen(
            f"{base}/ajax-api/2.0/mlflow/experiments/get?experiment_id={store.experiment_id}"
        ) as answer:
            tags = {tag["key"]: tag["value"] for tag in json.load(answer)["experiment"]["tags"]}
        assert newest.run_id in json.loads(tags[key])["searchFilter"]
        port = int(base.rpartition(":")[2])
        listening = [
            line.split()[1]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for line in Path(table).read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
        ]
        assert listening == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999", "http", "", "1e3", "٣"])
def test_the_ui_listens_at_a_port_that_there_is(folder: Path, capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["ui", f"--port={port}"])
    assert refused.value.code == 2
    assert f"{port!r}: valid is a whole number from 1 to 65535" in capsys.readouterr().err


def test_the_ui_says_that_its_port_is_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["ui", "--port", str(port)]) == 1
    assert f"nothing can listen at port {port} (Address already in use)" in capsys.readouterr().err
