"""No value of a configuration becomes code, and none that looks like a secret is kept."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import CompactHydraException

from experiments import config, trust
from experiments.config import CONF
from tracking.store import open_reader

HOSTILE = {
    "+hydra.callbacks.x={_target_: shutil.copy, src: a, dst: b}": "hydra.callbacks.x._target_=shutil.copy",
    "+hydra.callbacks.x={_target_: my.Own, of: [{_target_: shutil.copy}]}": "hydra.callbacks.x.of.0._target_=shutil",
    "+hydra.sweeper.params.x={_target_: shutil.copy}": "hydra.sweeper.params.x._target_=shutil.copy",
    "hydra.job_logging.handlers.console.class=subprocess.Popen": "hydra.job_logging.handlers.console.class=subprocess",
    "hydra.hydra_logging.handlers.console.stream=ext://os.environ": "hydra.hydra_logging.handlers.console.stream=ext://os",
    "+hydra.job_logging.filters={x: {class: shutil.copy}}": "hydra.job_logging.filters.x.class=shutil.copy",
    "hydra.job_logging.handlers.console.stream=${oc.env:X}": "hydra.job_logging.handlers.console.stream=ext://os.environ",
    "hydra.job_logging.handlers.console.stream=${hydra.job.num}": "console.stream=${hydra.job.num}",
}


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("X", "ext://os.environ")
    config.register()

    def compose_one(override: str) -> None:
        with initialize_config_dir(str(CONF), version_base="1.3"), trust.only_in_known_code():
            compose("train", [override], return_hydra_config=True)

    return compose_one


@pytest.mark.parametrize("override", HOSTILE)
def test_what_names_code_is_refused(composed: Callable[[str], None], override: str) -> None:
    with pytest.raises(CompactHydraException) as refusal:
        composed(override)
    assert HOSTILE[override] in str(refusal.value)
    assert trust.VARIABLE in str(refusal.value)


@pytest.mark.parametrize(
    "override",
    [
        "hydra.verbose=true",
        "hydra/job_logging=stdout",
        "hydra/hydra_logging=disabled",
        "hydra.job_logging.root.level=DEBUG",
        "hydra.job_logging.handlers.file.filename=${hydra.runtime.output_dir}/mine.log",
        "hydra/launcher=joblib",
    ],
)
def test_hydras_own_is_not(composed: Callable[[str], None], override: str) -> None:
    composed(override)


def test_a_study_names_no_code_but_what_the_user_allows(folder_with_store: Callable) -> None:
    folder = folder_with_store()
    (folder.path / "study").mkdir()
    (folder.path / "mine.py").write_text(
        "import pathlib\nclass Mine:\n    def __init__(self): pathlib.Path('seen').touch()\n"
    )
    (folder.path / "study" / "mine.yaml").write_text(
        "# @package _global_\nepochs: 5\nhydra:\n  callbacks:\n    mine:\n      _target_: mine.Mine\n"
    )
    arguments = ["-m", "--config-dir", ".", "+study=mine"]
    said = folder.train(*arguments, code=1)
    assert "hydra.callbacks.mine._target_=mine.Mine: a configuration may name code only if" in said
    assert "Traceback" not in said
    assert not (folder.path / "seen").exists()
    assert folder.sweeps() == []
    folder.train(*arguments, **{trust.VARIABLE: "other.Thing:mine.Mine"})
    assert (folder.path / "seen").exists()
    assert len(folder.sweeps()) == 1


@pytest.mark.parametrize("launched_by", [["-m"], ["-m", "hydra/launcher=basic"], []])
def test_secrets_are_not_kept(folder_with_store: Callable, launched_by: list[str]) -> None:
    folder = folder_with_store()
    secrets = ['+hydra.job.env_set.X="postgresql://me:S3CRET a@b@h/db"', "+hydra.job.env_set.API_KEY=S3CRET"]
    folder.train(*launched_by, "epochs=5", *secrets)
    files = [path for path in Path(folder.path).rglob("*") if path.is_file()]
    assert [path for path in files if b"S3CRET" in path.read_bytes()] == []
    assert any(b"API_KEY" in path.read_bytes() for path in files if path.suffix == ".yaml")
    with sqlite3.connect(folder.path / "mlflow.db") as connection:
        (command,) = connection.execute("SELECT DISTINCT value FROM tags WHERE key = 'command'").fetchone()
    assert "postgresql://h/db" in command


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("${oc.env:HOME}", "Hydra would read the name of this folder"),
        ("caf\udce9", "caf\\xe9: the name of this folder"),
    ],
)
def test_a_folder_that_hydra_or_mlflow_cannot_name(new_folder: Callable, name: str, expected: str) -> None:
    folder = new_folder()
    inside = type(folder)(folder.path / name)
    inside.path.mkdir()
    said = inside.train("-m", "epochs=5", code=1)
    assert expected in said
    assert "Traceback" not in said
    assert list(inside.path.iterdir()) == []


def test_a_folder_with_an_odd_name(new_folder: Callable) -> None:
    folder = new_folder()
    inside = type(folder)(folder.path / "a?b 100%25 %41#c;d&e='f")
    inside.path.mkdir()
    inside.train("-m", "epochs=5", "seed=0,1")
    with contextlib.chdir(inside.path):
        reader = open_reader()
        (sweep,) = reader.sweeps()
        assert len(reader.jobs(sweep)) == 2
    with sqlite3.connect(inside.path / "mlflow.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (4,)  # two trials, condition, sweep
