"""Runs of dead processes are found and ended; those of live ones, and of other machines, are left alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import forked
import pytest

from tracking.client_reader import ClientReader
from tracking.provenance import PACKAGES, process_identity, provenance
from tracking.record import RunUpdate
from tracking.stale import Life, life, repair, stale_runs
from tracking.store import Store, open_store

CHILD = """
import sys
from tracking.provenance import provenance
from tracking.store import open_store
store = open_store("xor")
tags = {"kind": "sweep", **provenance(engine="numba", launcher="ensemble").tags}
print(store.start_parent("sweep", tags), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def store(sqlite_folder: Path) -> Store:
    return open_store("xor")


def status(store: Store, run_id: str) -> str:
    found = store.reader.run(run_id)
    assert found is not None
    return found.status


@pytest.mark.parametrize("by_client", [False, True])
def test_only_dead_processes_are_ended(store: Store, by_client: bool) -> None:
    if by_client:
        store = Store(
            store.experiment, store.experiment_id, store.artifact_location, ClientReader(store.uri, store.experiment_id)
        )
    with forked.conversation("-c", CHILD) as (_, _, said):
        parent = said.readline().strip()
        child = store.start_parent("child", {"sweep_id": parent, "config_hash": "c"})
        mine = store.start_parent("mine", provenance(engine="numpy", launcher="none").tags)
        foreign = store.start_parent("foreign", {})
        elsewhere = store.start_parent(
            "elsewhere", {**provenance(engine="numpy", launcher="none").tags, "host": "another", "pid": "1"}
        )
        assert repair(store) == []
    assert {run.run_id for run in stale_runs(store)} == {parent, child}
    assert {run.run_id for run in repair(store)} == {parent, child}
    assert repair(store) == []
    assert [status(store, run) for run in (parent, child)] == ["KILLED", "KILLED"]
    assert [status(store, run) for run in (mine, foreign, elsewhere)] == ["RUNNING"] * 3
    assert {run.run_id for run in store.reader.running()} == {mine, foreign, elsewhere}


def test_a_child_of_a_sweep_that_ended_goes_with_its_process(store: Store) -> None:
    with forked.conversation("-c", CHILD) as (_, _, said):
        parent = said.readline().strip()
        child = store.start_parent("child", {"sweep_id": parent})
        store.update_parent(parent, RunUpdate(status="FINISHED"))
        assert repair(store) == []
    assert [run.run_id for run in repair(store)] == [child]
    assert status(store, parent) == "FINISHED"


def test_a_pid_that_was_used_again() -> None:
    tags = provenance(engine="numba", launcher="ensemble").tags
    assert life(tags) is Life.ALIVE
    machine, boot, namespace, start = tags["process"].split("/")
    assert life({**tags, "process": f"{machine}/{boot}/{namespace}/{int(start) - 1}"}) is Life.DEAD
    assert life({**tags, "process": f"{machine}/another-boot/{namespace}/{start}"}) is Life.DEAD
    assert life({**tags, "process": f"{machine}/{boot}/pid:[1]/{start}"}) is Life.ELSEWHERE
    assert life({**tags, "process": f"another/{boot}/{namespace}/{start}"}) is Life.ELSEWHERE
    assert life({**tags, "host": "another"}) is Life.ELSEWHERE
    assert life({}) is Life.ELSEWHERE


@pytest.mark.parametrize("pid", ["", "0", "-1", "self", "٣", "9" * 10, "9" * 5000, " 1", "1/../1"])
@pytest.mark.parametrize("process", ["unknown", "", "/", "///", "a/b", "a/b/c/d/e"])
def test_tags_that_anybody_has_set_end_no_run(pid: str, process: str) -> None:
    here = provenance(engine="numba", launcher="ensemble").tags
    assert life({**here, "pid": pid, "process": process}) is Life.ELSEWHERE
    assert life({**here, "pid": pid}) is Life.ELSEWHERE
    assert process == "unknown" or life({**here, "process": process}) is Life.ELSEWHERE


def test_where_there_is_no_proc_the_pid_decides() -> None:
    tags = {**provenance(engine="numba", launcher="ensemble").tags, "process": "unknown"}
    assert life(tags) is Life.ALIVE
    assert life({**tags, "pid": "1"}) is Life.ALIVE
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert life({**tags, "pid": str(process.pid)}) is Life.DEAD


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    identity = process_identity(process.pid)
    assert identity is not None
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_identity(process.pid) is None
    process.wait()
    process.stdout.close()


SHOW = """
import logging, sys
logging.basicConfig(stream=sys.stdout)
from tracking.provenance import provenance
found = provenance(engine="numba", launcher="ensemble")
print("\\n".join(f"{key}\\t{value}" for key, value in found.tags.items()))
print(found.artifacts.get("git_diff.patch", b"").decode())
"""


def shown(*arguments: str, **environment: str) -> tuple[dict[str, str], str]:
    Path("show.py").write_text(SHOW)
    done = subprocess.run(
        [sys.executable, "show.py", *arguments],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **environment},
    )
    lines = done.stdout.splitlines()
    tags = dict(line.split("\t") for line in lines if "\t" in line)
    return tags, done.stdout


def test_provenance_is_that_of_the_product_whatever_the_folder(empty_folder: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "another project"], check=True)
    root = Path(__file__).parents[2]
    tags, _ = shown("lr=0.1", "hidden=[4, 3]", GIT_DIR=str(empty_folder / ".git"))
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert tags["git_commit"] == (head.stdout.strip() or "unknown")
    assert tags["git_dirty"] in ({"true", "false"} if head.stdout else {"unknown"})
    assert tags["command"] == "python show.py lr=0.1 'hidden=[4, 3]'"
    assert [part.split()[0] for part in tags["versions"].split(", ")] == list(PACKAGES)
    assert "not installed" not in tags["versions"]


def test_provenance_without_git(empty_folder: Path) -> None:
    tags, _ = shown(PATH=str(empty_folder))
    assert tags["git_commit"] == tags["git_dirty"] == "unknown"


def copied_checkout(folder: Path) -> Path:
    """Make a checkout of its own that holds the code, so that it can be changed."""
    root = Path(__file__).parents[2]
    checkout = folder / "checkout"
    checkout.mkdir()
    listed = [p for top in ("nn_core", "experiments", "tracking") for p in (root / top).rglob("*.py")]
    for path in listed:
        copy = checkout / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "all"], check=True)
    return checkout


def test_a_checkout_of_another_owner(empty_folder: Path) -> None:
    checkout = copied_checkout(empty_folder)
    before, _ = shown(PYTHONPATH=str(checkout))
    wrapper = empty_folder / "git"
    # Git's own way to have its tests meet a checkout of somebody else, whoever runs them.
    wrapper.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    refused = subprocess.run(
        [wrapper, "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    assert "dubious ownership" in refused.stderr
    tags, _ = shown(PYTHONPATH=str(checkout), PATH=f"{empty_folder}:{os.environ['PATH']}")
    assert tags["git_commit"] == before["git_commit"] != "unknown"
    assert tags["git_dirty"] == "false"
    wrapper.write_text("#!/bin/sh\necho fatal: what git says >&2\nexit 128\n")
    tags, said = shown(PYTHONPATH=str(checkout), PATH=f"{empty_folder}:{os.environ['PATH']}")
    assert tags["git_commit"] == "unknown"
    assert "fatal: what git says" in said


def test_what_was_changed_is_kept(empty_folder: Path) -> None:
    checkout = copied_checkout(empty_folder)
    tags, _ = shown(PYTHONPATH=str(checkout))
    assert tags["git_dirty"] == "false"
    (checkout / "notes.txt").write_text("none of the code")
    assert shown(PYTHONPATH=str(checkout))[0]["git_dirty"] == "false"
    changed = checkout / "nn_core" / "__init__.py"
    changed.write_text(f"{changed.read_text()}# changed here\n")
    (checkout / "nn_core" / "new.py").write_text("# new here\n")
    tags, text = shown(PYTHONPATH=str(checkout))
    assert tags["git_dirty"] == "true"
    assert "+# changed here" in text
    assert "untracked: nn_core/new.py\n# new here" in text


def test_code_in_somebody_else_s_repository_is_not_theirs(empty_folder: Path) -> None:
    checkout = copied_checkout(empty_folder)
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "rm", "-q", "-r", "--cached", "nn_core"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "not ours"], check=True)
    assert shown(PYTHONPATH=str(checkout))[0]["git_commit"] == "unknown"
