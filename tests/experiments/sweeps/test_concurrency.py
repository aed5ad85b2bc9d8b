"""Several sweeps at once, in a folder without a store."""

from collections.abc import Callable

SEEDS = ("range(0,30)", "range(30,60)", "range(60,90)", "range(0,30)")  # the last one wants the same as the first


def test_four_sweeps_started_at_the_same_moment(new_folder: Callable) -> None:
    folder = new_folder()
    started = [folder.fork("-m", "engine=numpy", "epochs=20", f"seed={seeds}", "hidden=2,3") for seeds in SEEDS]
    outputs = [folder.joined(process) for process in started]
    assert not [output for output in outputs if "locked" in output or "Traceback" in output]
    sweeps = folder.sweeps()
    assert [sweep.info.status for sweep in sweeps] == ["FINISHED"] * 4
    for sweep in sweeps:
        rows = folder.jobs(sweep)
        assert len(rows) == 60
        assert all(row["origin"] in {"new", "reused"} and row["run_id"] for row in rows)
        assert sweep.data.metrics["finished"] + sweep.data.metrics["reused"] == 60
    runs = folder.runs("tags.config_hash != ''")
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len({run.data.tags["config_hash"] for run in runs}) == 180
    assert len(runs) == sum(sweep.data.metrics["finished"] for sweep in sweeps)
    folders = list(folder.path.glob("multirun/*/*"))
    assert len(folders) == 4
    assert all({path.name for path in each.iterdir()} == {"multirun.yaml", "jobs.csv", "train.log"} for each in folders)
