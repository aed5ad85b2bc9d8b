"""A sweep launched again does what is left to do."""

from collections.abc import Callable

import pytest

FAST = ("engine=numpy", "epochs=20")


@pytest.fixture
def folder(folder_with_store: Callable) -> "Folder":  # noqa: F821
    return folder_with_store()


def test_only_new_configurations_are_run(folder) -> None:
    folder.train("-m", *FAST, "seed=range(4)")
    again = folder.train("-m", *FAST, "seed=range(4)")
    assert "4 jobs: 0 to do, 4 already finished" in again
    widened = folder.train("-m", *FAST, "seed=range(6)", "lr=0.1,0.2", "hydra/launcher=basic")
    assert "12 jobs: 8 to do, 4 already finished" in widened

    first, second, third = folder.sweeps()
    assert [len(folder.children(sweep)) for sweep in (first, second, third)] == [4, 0, 8]
    assert [sweep.info.status for sweep in (first, second, third)] == ["FINISHED"] * 3
    assert [
        tuple(sweep.data.metrics[key] for key in ("jobs", "finished", "reused", "failed"))
        for sweep in (first, second, third)
    ] == [(4, 4, 0, 0), (4, 0, 4, 0), (12, 8, 4, 0)]
    made = {row["config_hash"]: row["run_id"] for row in folder.jobs(first)}
    assert {row["config_hash"]: row["run_id"] for row in folder.jobs(second)} == made
    assert {row["origin"] for row in folder.jobs(second)} == {"reused"}
    rows = folder.jobs(third)
    assert {row["config_hash"]: row["run_id"] for row in rows if row["origin"] == "reused"} == made
    assert {row["run_id"] for row in rows if row["origin"] == "new"} == {
        run.info.run_id for run in folder.children(third)
    }
    assert len(rows) == 12


def test_what_does_not_count_as_finished(folder) -> None:
    folder.train("-m", *FAST, "seed=range(3)")
    assert "3 jobs: 3 to do\n" in folder.train("-m", *FAST, "seed=range(3)", "resume=false")
    assert "3 jobs: 3 to do\n" in folder.train("-m", *FAST, "seed=range(3)", "experiment=another")
    first, second = folder.sweeps()
    assert {row["origin"] for row in folder.jobs(second)} == {"new"}
    for sweep in (first, second):
        (run,) = (run for run in folder.children(sweep) if run.data.params["seed"] == "1")
        folder.client.delete_run(run.info.run_id)
    assert "3 jobs: 1 to do, 2 already finished" in folder.train("-m", *FAST, "seed=range(3)")


def test_however_it_was_written_it_is_the_same_configuration(folder) -> None:
    folder.train(*FAST, "hidden=[4]", "lr=1e-1")  # a single run counts, too
    assert "2 jobs: 1 to do, 1 already finished" in folder.train("-m", *FAST, "hidden=4,5", "lr=0.10")


def test_dry_run_shows_and_creates_nothing(new_folder: Callable) -> None:
    folder = new_folder()
    output = folder.train("-m", *FAST, "seed=range(3)", "dry_run=true")
    assert "3 jobs: 3 to do" in output
    assert all(f"seed={seed}" in output for seed in range(3))
    assert list(folder.path.iterdir()) == []


def test_dry_run_tells_what_is_left(folder) -> None:
    folder.train("-m", *FAST, "seed=range(2)")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    output = folder.train("-m", *FAST, "seed=range(3)", "dry_run=true")
    assert "3 jobs: 1 to do, 2 already finished" in output
    for row in folder.jobs(folder.sweeps()[0]):
        (line,) = (line for line in output.splitlines() if row["run_id"] in line)
        assert row["overrides"].split()[-1] in line
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


def test_other_code_is_named(folder) -> None:
    folder.train("-m", *FAST, "seed=range(2)")
    (sweep,) = folder.sweeps()
    folder.client.set_tag(sweep.info.run_id, "git_commit", "0123456789" * 4)
    output = folder.train("-m", *FAST, "seed=range(3)")
    assert "Finished runs come from other code" in output
    assert "0123456789" * 4 in output


def test_another_engine_is_named(folder) -> None:
    """Where a network has both, and with the number of runs that it trained; once."""
    several = ("-m", "epochs=20", "seed=range(3)", "criterion=tolerance,gradient_norm")
    folder.train(*several)
    assert folder.sweeps()[0].data.tags["engine"] == "numba, numpy"
    assert "were trained by" not in folder.train(*several, "record.per_decade=80")
    output = folder.train(*several, "engine=numpy")
    assert "6 jobs: 0 to do, 6 already finished" in output
    assert output.count("3 finished runs were trained by engine=numba, which this sweep does not use for them") == 1
    assert "were trained by engine=numpy" not in output
