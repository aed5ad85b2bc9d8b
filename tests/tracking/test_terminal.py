"""What commands print to: output that is full, closed or of ASCII only."""

import os
import subprocess
import sys

import pytest

from tracking.store import open_store

ODD = "ü漢🙂"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a shell command line, ``$P`` being Python, in a folder whose store has an experiment with an odd name."""
    folder = tmp_path_factory.mktemp("terminal")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store = open_store(ODD)
        run_id = store.start_parent(f"=1+1 {ODD}", {"kind": "sweep"})

    def go(line, **environment):
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "PYTHON", "LC_", "LANG"))
        }
        return subprocess.run(
            ["/bin/bash", "-c", line], cwd=folder, env=kept | {"P": sys.executable, "ID": run_id} | environment,
            capture_output=True, text=True, errors="surrogateescape",
        )  # fmt: skip

    return go


@pytest.mark.parametrize("command", ["experiments.sweeps status", "analysis.figures --help"])
def test_a_full_output_is_told(run, command):
    done = run(f"$P -m {command} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "the output cannot be written: No space left on device\n")


def test_a_closed_output_keeps_nothing_and_spoils_no_file(run):
    done = run("$P -m experiments.sweeps status >&- 2>&- <&- && $P -m experiments.sweeps status")
    assert (done.returncode, done.stderr) == (0, "")
    assert ODD in done.stdout
    closed = run("$P -m analysis.figures nothing=1 >&- 2>&-")
    assert (closed.returncode, closed.stdout, closed.stderr) == (2, "", "")


@pytest.mark.parametrize("command", ["experiments.sweeps show latest", "analysis.report --help"])
def test_a_reader_that_leaves_ends_the_command(run, command):
    done = run(f"$P -m {command} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_letters_that_the_terminal_has_not_are_escaped(run):
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run(f"$P -m experiments.sweeps status && $P -m experiments.sweeps show '=1+1 {ODD}'", **ascii_only)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(r"\xfc\u6f22\U0001f642") == 4  # experiment and name of the sweep, twice
    done = run(f"$P -m analysis.figures 'compare=[$ID]' labels={ODD},b {ODD}=1", **ascii_only)
    assert done.returncode == 2
    assert r"\xfc\u6f22\U0001f642: no such key" in done.stderr
    assert "that is not UTF-8" in run("$P -m analysis.figures $'x=\\xff'").stderr


def test_a_sweep_with_an_odd_name_runs_in_an_ascii_terminal(run):
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run(f"""$P -m experiments.train -m epochs=10 "experiment='{ODD} 2'" """, **ascii_only)
    assert done.returncode == 0, done.stderr
    assert f"{ODD} 2" in run("$P -m experiments.sweeps status").stdout
