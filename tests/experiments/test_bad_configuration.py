"""What cannot run is refused with key, value and what is valid; without a traceback, before anything is created."""

import os
import subprocess
from pathlib import Path

import forked
import pytest

from experiments import sweeps
from tracking.addresses import tracking_uri

RANGES = {
    "lr=0": "lr=0.0: valid is a finite number above 0",
    "lr=-1": "lr=-1.0: valid is a finite number above 0",
    "lr=nan": "lr=nan: valid is a finite number above 0",
    "seed=-1": "seed=-1: valid is a whole number from 0 to 2^62",
    "hidden=0": "hidden=0: valid is a whole number from 1 to 4,096, or a list of such, like [8,4]",
    "hidden=[8,0]": "hidden=[8,0]: valid is a whole number from 1 to 4,096, or a list of such, like [8,4]",
    "hidden=2.5": "hidden=2.5: valid is",
    "hidden=four": "hidden=four: valid is",
    "hidden=5000": "hidden=5000: valid is a whole number from 1 to 4,096",
    "epochs=0": "epochs=0: valid is a whole number from 1 to 1,000,000,000",
    "trials=0": "trials=0: valid is a whole number from 1 to 100,000",
    "bias=0": "bias=0.0: valid is null, or a finite number other than 0",
    "derivative_offset=-0.1": "derivative_offset=-0.1: valid is a finite number, 0 or above",
    "weight_decay=-1": "weight_decay=-1.0: valid is a finite number, 0 or above",
    "record.per_decade=0": "record.per_decade=0: valid is a whole number from 1 to 1,000",
    "activation=elu": "activation=elu: valid is one of sigmoid, symmetric_sigmoid, tanh, scaled_tanh, relu, softplus",
    "activation=sigmod": "activation=sigmod: valid is one of sigmoid, symmetric_sigmoid, tanh, scaled_tanh",
    "loss=mse": "loss=mse: valid is one of sse, half_sse, arctanh, cross_entropy; did you mean sse?",
    "update=onlin": "update=onlin: valid is one of batch, online, shuffled; did you mean online?",
    "engine=cuda": "engine=cuda: valid is one of auto, numba, numpy",
    "task.low=nan": "task.low=nan: valid is a finite number",
    "criterion.tolerance=0": "criterion.tolerance=0.0: valid is a finite number above 0",
    "experiment='  '": "experiment='  ': valid is a name of 1 to 250 printable characters, not all blank",
    "experiment='a\tb'": "experiment='a\\tb': valid is a name of 1 to 250 printable characters",
    f"experiment={'x' * 251}": "valid is a name of 1 to 250 printable characters",
    "task=parity task.bits=0": "task.bits=0: valid is a whole number from 1 to 12",
    "task=encoder task.width=1": "task.width=1: valid is a whole number from 2 to 4,096",
    "init=normal init.std=0": "init.std=0.0: valid is a finite number above 0",
    "init=fixed init.weights=[0,nan]": "init.weights=[0.0,nan]: valid is a list of finite numbers",
    "optimizer=momentum optimizer.momentum=-1": "optimizer.momentum=-1.0: valid is a finite number, 0 or above",
    "optimizer=quickprop optimizer.mu=0": "optimizer.mu=0.0: valid is a finite number above 0",
    "criterion=mse criterion.below=0": "criterion.below=0.0: valid is a finite number above 0",
    "optimizer=rprop optimizer.shrink=1": "optimizer.shrink=1.0: valid is a finite number above 0 and below 1",
    "optimizer=adam optimizer.beta2=1": "optimizer.beta2=1.0: valid is a finite number, 0 or above and below 1",
}

CONTRADICTIONS = {
    "task.low=1": "task.low=1.0 task.high=1.0: valid are two different values",
    "task.target_low=1": "task.target_low=1.0 task.target_high=1.0: valid are two different values",
    "init.low=2": "init.low=2.0 init.high=1.0: valid is a low below the high",
    "criterion.tolerance=0.6": "criterion.tolerance=0.6: valid is at most 0.5, half the range of the targets",
    "task.target_high=2": "task.target_high=2.0 with activation=sigmoid: valid is a value that an output between 0",
    "task.target_low=-1": "task.target_low=-1.0 with activation=sigmoid: valid is a value that an output between 0",
    "activation=tanh loss=arctanh": "loss=arctanh with activation=tanh: valid are targets that differ from no output",
    "optimizer=momentum optimizer.scaled=true optimizer.momentum=1": "optimizer.momentum=1.0 with optimizer.scaled=",
    "init=fixed init.weights=[1,2,3]": "init.weights has 3 numbers: valid for a 3-4-1 network without bias are 16",
    "init=fixed init.weights=[1] bias=1": "init.weights has 1 numbers: valid for a 3-4-1 network with bias are 21",
    "init=fixed init.weights=[0,0,0,0] hidden=1 trials=2": "trials=2 with init=fixed: valid is trials=1",
    "optimizer=rprop optimizer.smallest=2 optimizer.largest=1": "optimizer.smallest=2.0 optimizer.largest=1.0: valid",
    "loss=cross_entropy activation=tanh": "loss=cross_entropy with activation=tanh: valid is an activation between 0",
    "loss=cross_entropy task.target_high=1.1": "task.target_high=1.1 with loss=cross_entropy: valid is a target from 0",
    "order_seed=1": "order_seed=1 with update=batch: valid is 0",
    "engine=numba criterion=gradient_norm": "engine=numba with criterion=gradient_norm: valid is engine=auto or",
}

TYPES = {
    "lr=fast": ("lr=fast", "Value 'fast' of type 'str' could not be converted to Float"),
    "lr=[1]": ("lr=[1]", "Value '[1]' of type 'list' could not be converted to Float"),
    "lr=null": ("lr=null", "field 'lr' is not Optional"),
    "seed=0.5": ("seed=0.5", "Value '0.5' of type 'float' could not be converted to Integer"),
    "epochs=1e3": ("epochs=1e3", "Value '1000.0' of type 'float' could not be converted to Integer"),
    "bias=none": ("bias=none", "Value 'none' of type 'str' could not be converted to Float"),
    "stop_when_converged=maybe": ("stop_when_converged=maybe", "Value 'maybe' is not a valid bool"),
    "record=3": ("record=3", "Invalid type assigned: int is not a subclass of Record"),
    "init=fixed init.weights=[a]": ("init.weights=[a]", "Value 'a' of type 'str' could not be converted to Float"),
    "init=fixed init.weights=1": ("init.weights=1", "int is not a ListConfig, list or tuple"),
    "init=fixed": ("init.weights has no value: valid is a list of finite numbers",),
    "lr=???": ("lr has no value: valid is a finite number above 0",),
    "record=???": ("record has no value: valid is a record.per_decade",),
    "lr=${rate}": ("lr: Interpolation key 'rate' not found",),
    "task.low=${task.low}": ("task.low: Recursive interpolation detected",),
    "record=${task}": ("record=Xor(", "valid is a record.per_decade"),
    "epochs=${lr}": ("epochs: While dereferencing interpolation '${lr}': Value '0.1' of type 'float'",),
    "init=fixed init.weights=${hidden}": ("init.weights=4: valid is a list of numbers",),
    "lr=0.1,0.5": ("'lr=0.1,0.5'", "To sweep over it, add --multirun to your command line"),
}

NAMES = {
    "task=nand": ("task=nand: valid is one of encoder, parity, xor\n",),
    "task=": ("task=: valid is one of encoder, parity, xor\n",),
    "init=zeros": ("init=zeros: valid is one of fixed, normal, uniform, xavier",),
    "optimizer=adm": ("optimizer=adm: valid is one of adam, gradient_descent, momentum,", "; did you mean adam?\n"),
    "criterion=loss": ("criterion=loss: valid is one of gradient_norm, mse, tolerance",),
    "hydra/sweeper=atlass": ("hydra/sweeper=atlass: valid is one of atlas, basic; did you mean atlas?\n",),
    "hydra.job.name=a/b": ("Unable to configure handler 'file': [Errno 2] No such file or directory",),
    "task.name=parity": ("task.name=parity: there is no such key; a part is chosen by task=NAME",),
    "+study=nobody_1999": ("study=nobody_1999: valid is one of fahlman_1989_xor, hamey_1991_xor",),
    "lrr=0.1": ("lrr=0.1: there is no such key; did you mean lr?",),
    "hiden=8": ("hiden=8: there is no such key; did you mean hidden?",),
    "taks=xor": ("taks=xor: there is no such key; did you mean task?",),
    "update.order_seed=1": ("update.order_seed=1: there is no such key; did you mean order_seed?",),
    "task.lo=1": ("task.lo=1: there is no such key; did you mean task.low?",),
    "task.bits=3": ("task.bits=3: there is no such key; task.bits is an option of task=parity",),
    "learning_rate=1": ("learning_rate=1: there is no such key; valid keys are lr, seed, hidden, epochs, trials,",),
    "study=hamey_1991_xor": ("Could not override 'study'", "use +study=hamey_1991_xor"),
    "task=null": ("task=null (ValueError: Config group override must be a string or a list. Got NoneType)",),
    "hydra.run.dir=/proc/nowhere": ("hydra.run.dir=/proc/nowhere: [Errno 2] No such file or directory",),
    "--resolve": ("--resolve (ValueError: The --resolve flag can only be used",),
    "+epoch=10": ("epoch=10: there is no such key; did you mean epochs?",),
    "++trails=10": ("trails=10: there is no such key; did you mean trials?",),
    "+optimizer.momentum=0.9": ("optimizer.momentum is an option of optimizer=momentum",),
    "+learning_rate=1": ("learning_rate=1: there is no such key; valid keys are lr, seed, hidden, epochs, trials,",),
    "~task": ("task has no value: valid is one of xor, parity, encoder",),
    "~widgets": ("Could not delete from config. 'widgets' does not exist",),
    "lr": ("'lr'", "missing EQUAL"),
    "lr=choice(0.1": ("'choice(0.1'",),
}

SWEEPS = {
    "lr=slow,fast": ("lr=slow: Value 'slow' of type 'str' could not be converted to Float", "lr=fast: Value"),
    "seed=range(0,100000,0.5)": ("seed=0.0: Value '0.0' of type 'float' could not be", "seed=0.5: Value"),
    "lrr=0.1,0.5": ("lrr=0.1,0.5: there is no such key; did you mean lr?",),
    "sed=range(100000)": ("sed=0,1,2,3,4,...: there is no such key; did you mean seed?",),
    "task.bits=2,3": ("task.bits=2,3: there is no such key; task.bits is an option of task=parity",),
    "task=xor,parity task.bits=2,3": ("task.bits=2,3: there is no such key; task.bits is an option of task=parity",),
    "+learning_rate=1,2": ("+learning_rate=1,2: there is no such key; valid keys are lr, seed, hidden, epochs,",),
    "init=fixed init.weights=[1],[2]": ("init.weights has 1 numbers: valid for a 3-4-1 network without bias are 16",),
    "task=xor,nand": ("task=nand: valid is one of encoder, parity, xor\n",),
    "+study=hamey_1991_xor,nobody_1999": ("study=nobody_1999: valid is one of fahlman_1989_xor, hamey_1991_xor",),
    "seed=range(1000000)": ("seed=range(1000000): 1,000,000 values: valid is at most 200,000 jobs", "trials=N"),
    "seed=range(1000) lr=range(1,1001)": ("1,000,000 jobs: valid is at most 200,000 jobs", "hydra.sweeper.max_jobs=N"),
    "seed=range(0)": ("seed=range(0): valid is a sweep of at least one value",),
    "task=glob(x?)": ("task=glob(x?): valid is a sweep of at least one value",),
    "seed=range(0,10,0)": ("seed=range(0,10,0): valid is a step other than 0",),
    "lr=range(0,nan)": ("lr=range(0,nan): valid are a finite start, stop and step",),
    "lr=interval(0,1)": ("lr=interval(0,1): valid are discrete sweeps, such as lr=0.1,0.5",),
    "experiment=a,b": ("experiment=a,b: valid is one value for the whole sweep",),
    "engine=numba,numpy": ("engine=numba,numpy: valid is one value for the whole sweep",),
    "resume=true,false": ("valid is one value for the whole sweep, resume is not part of a run",),
    "seed=1,2,1": ("3 jobs, 2 different: jobs 0 and 2, for one, are both lr=0.1 hidden=4 seed=1; valid",),
    "lr=0.1,0.10": ("2 jobs, 1 different: jobs 0 and 1, for one, are both lr=0.1",),
    "hidden=4,[4]": ("jobs 0 and 1, for one, are both lr=0.1 hidden=4",),
    "trials=10 seed=range(5)": (
        "seed=0 trials=10 and seed=1 trials=10 both train seeds 1 to 9: valid are seeds at least 10 apart, "
        "such as seed=range(0,50,10)",
    ),
    "trials=1,3 seed=7": ("seed=7 trials=1 and seed=7 trials=3 both train seed 7",),
    "init=fixed init.weights=[0,0,0,0] hidden=1 seed=5,6": ("seed=5,6 with init=fixed: valid is one seed",),
    "hydra.sweep.subdir=x": ("hydra.sweep.subdir=x: valid is its default, or hydra/launcher=basic or joblib",),
    "hydra/launcher=slurm": ("hydra/launcher=slurm: valid is one of basic, ensemble, joblib",),
    "hydra/launcher=joblib hydra.launcher.n_jobs=0": ("hydra.launcher.n_jobs=0: valid is what joblib.Parallel takes",),
    "hydra/launcher=joblib hydra.launcher.n_jobs=100000": ("n_jobs=100000: valid are at most 1,024 processes",),
    "hydra/launcher=joblib hydra.launcher.batch_size=-3": ("hydra.launcher.batch_size=-3: valid is what joblib",),
    "hydra/launcher=joblib hydra.launcher.n_jobs=2 hydra.launcher.pre_dispatch=0": ("(nothing would be done)",),
    "hydra.launcher=null": ("Hydra launcher is not configured",),
    "hydra.job.name=a/b": ("hydra.job.name=a/b: valid is a name without /, that of the log file",),
    "hydra.job.env_set.X=[1]": ("Could not override 'hydra.job.env_set.X'",),
    "hydra/launcher=basic,joblib": ("Sweeping over Hydra's configuration is not", "'hydra/launcher=basic,joblib'"),
    "hydra/sweeper=basic": ("hydra/launcher=ensemble: valid is basic or joblib with a sweeper other than atlas",),
    "hydra.sweeper.max_jobs=many": ("hydra.sweeper.max_jobs=many", "could not be converted to Integer"),
    "+hydra.sweeper.params.lrr='1,2'": ("lrr=1,2: there is no such key; did you mean lr?",),
    "+hydra.sweeper.params.seed='range(1000000)'": ("seed=range(1000000): 1,000,000 values",),
}


def split(line: str) -> list[str]:
    return [line] if "'" in line else line.split(" ")


def refused(answer, expected, folder, traces):
    assert answer.code == 1, answer
    assert "Traceback" not in answer.out + answer.err
    for words in (expected,) if isinstance(expected, str) else expected:
        assert words in answer.err
    assert traces(folder) == []


@pytest.mark.parametrize(("line", "expected"), (RANGES | CONTRADICTIONS | TYPES | NAMES).items())
def test_a_run_that_cannot_be_is_refused(train_here, tmp_path, traces, line, expected):
    refused(train_here(*split(line)), expected, tmp_path, traces)


@pytest.mark.parametrize(("line", "expected"), SWEEPS.items())
def test_a_sweep_that_cannot_be_is_refused(train_here, tmp_path, traces, line, expected):
    refused(train_here("-m", *split(line)), expected, tmp_path, traces)


@pytest.mark.parametrize(
    "line", ["hidden=0", "lr=fast", "task=nand", "hiden=8", "init=fixed", "criterion.tolerance=0.6"]
)
def test_a_sweep_of_one_is_refused_like_a_run(train_here, tmp_path, traces, line):
    expected = (RANGES | CONTRADICTIONS | TYPES | NAMES)[line]
    refused(train_here("-m", line), expected, tmp_path, traces)


def test_all_problems_of_all_jobs_come_together(train_here, tmp_path, traces):
    """Every key of one kind of network at once, each with a good and a bad value or two; and a contradiction."""
    alone = [line for line in RANGES if " " not in line and not line.startswith(("experiment", "engine"))]
    by_key: dict[str, list[str]] = {}
    for line in [line for line in alone if line.partition("=")[0] in {"lr", "hidden", "bias", "loss", "task.low"}]:
        key, _, value = line.partition("=")
        by_key.setdefault(key, []).append(value)
    axes = [f"{key}={','.join(values[:3])}" for key, values in by_key.items()]
    answer = train_here("-m", *axes, "epochs=0", "criterion.tolerance=0.4,0.6")
    refused(answer, "epochs=0: valid is a whole number from 1 to 1,000,000,000  (", tmp_path, traces)
    for key, values in by_key.items():
        for value in values[:3]:
            assert RANGES[f"{key}={value}"] in answer.err


def test_how_many_jobs_have_a_problem_is_said(train_here, tmp_path, traces):
    answer = train_here("-m", "lr=0,0.1,-1", "criterion.tolerance=0.4,0.6", "task=xor,parity")
    lines = answer.err.splitlines()
    assert "lr=0.0: valid is a finite number above 0  (4 of 12 jobs)" in lines
    assert "lr=-1.0: valid is a finite number above 0  (4 of 12 jobs)" in lines
    assert any(line.startswith("criterion.tolerance=0.6:") and line.endswith("(2 of 12 jobs)") for line in lines)
    assert traces(tmp_path) == []


def test_of_many_bad_values_a_few_are_shown(train_here, tmp_path, traces):
    answer = train_here("-m", "epochs=range(-99,1)", "hidden=0,4")
    refused(answer, "epochs=-99: valid is a whole number from 1 to 1,000,000,000  (2 of 200 jobs)", tmp_path, traces)
    assert "... and 95 more values of epochs" in answer.err
    assert "hidden=0: valid is" in answer.err
    assert len(answer.err) < 2000


NO_STORES = {
    "sqlite://": "such a store is gone when the process ends, name a file",
    "sqlite:///:memory:": "such a store is gone when the process ends, name a file",
    "sqlite:x.db": "that names no file, or has options",
    "sqlite+foo:///x.db": "that names no file, or has options",
    "sqlite:///x.db?mode=ro": "that names no file, or has options",
    "sqlite:///x%00.db": "that names no file, or has options",
    "sqlite:////proc/x.db": "no store can be made in /proc (No such file or directory)",
    "sqlite:////proc/deeper/x.db": "no store can be made in /proc/deeper (No such file or directory)",
    "sqlite:////dev/null": "/dev/null is no file",
    "sqlite:///{folder}": "{folder} is no file",
    "sqlite:///{folder}/text/x.db": "no store can be made in {folder}/text (Not a directory)",
    "mysql://user:secret@host/db": "the driver of that database is not installed",
    "mssql+nothing://user:secret@host/db": "the driver of that database is not installed",
    "postgresql+foo://user:secret@host/db": "the driver of that database is not installed",
    "postgresql://user:secret@host:port/db": "that is no address of a database",
    "mysql:user:secret@host": "that is no address of a database",
    "postgresql://user:secret@127.0.0.1:1/db?password=secret": "the database does not answer: connection failed",
    "http://user:secret@127.0.0.1:1": "no tracking server answers there ([Errno 111] Connection refused)",
    "http://": "that is no address of a server",
    "http://[": "that is no address of a server",
    "http://127.0.0.1:port": "that is no address of a server",
    "postgres://user:secret@host/db": "that is no kind of store that is supported",
    "ftp://user:secret@host/x": "that is no kind of store that is supported",
    "file:///{folder}": "that is no kind of store that is supported",
    "relative/path": "that is no kind of store that is supported",
    "mlflow.db": "that is no kind of store that is supported",
    " ": "that is no kind of store that is supported",
}
"""Tracking URIs, and what is wrong with them."""


@pytest.fixture
def elsewhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "text").write_text("This is a letter, not a database. " * 20)
    return folder


def refused_store(error, uri, elsewhere, expected):
    """One paragraph that names the variable, its value and what is valid, and no password."""
    assert error.count("\n") == 1, error
    shown = uri.format(folder=elsewhere).replace("user:secret@", "").replace("=secret", "=***")
    assert error.startswith(f"MLFLOW_TRACKING_URI={shown}: {expected.format(folder=elsewhere)}")
    assert "valid is sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, http://HOST:PORT of" in error
    assert "secret" not in error
    assert [path.name for path in elsewhere.iterdir()] == ["text"]


@pytest.mark.parametrize(("uri", "expected"), NO_STORES.items())
def test_a_bad_tracking_uri_is_refused(train_here, tmp_path, monkeypatch, capsys, elsewhere, uri, expected):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=elsewhere))
    answer = train_here("-m", "seed=1,2")
    assert answer.code == 1
    refused_store(answer.err, uri, elsewhere, expected)
    commands = [["status"], ["status", "--json"], ["repair"], ["show", "latest"], ["ui"]]
    for arguments in commands if "answer" in expected else [*commands, ["sync"]]:  # which asks nobody if it has nothing
        assert sweeps.main(arguments) == 1
        refused_store(capsys.readouterr().err, uri, elsewhere, expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["-m", "hydra/launcher=basic"], ["-m", "hydra/launcher=joblib"]])
@pytest.mark.parametrize("uri", ["sqlite:////proc/x.db", "mysql://user:secret@host/db", "http://127.0.0.1:1"])
def test_runs_and_all_launchers_refuse_it_alike(train_here, tmp_path, monkeypatch, traces, elsewhere, arguments, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    answer = train_here(*arguments)
    assert answer.code == 1
    refused_store(answer.err, uri, elsewhere, NO_STORES.get(uri, "no tracking server answers there"))
    assert traces(tmp_path) == []


def test_what_is_no_database_is_left_as_it_is(train_here, tmp_path, monkeypatch, traces, elsewhere):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}/text")
    before = (elsewhere / "text").read_bytes()
    refused(train_here("-m"), f"{elsewhere}/text is no SQLite database, or a damaged one", tmp_path, traces)
    assert (elsewhere / "text").read_bytes() == before


def test_an_empty_tracking_uri_means_the_usual_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"


@pytest.mark.parametrize("key", ["hydra.sweep.dir", "hydra.run.dir"])
@pytest.mark.parametrize("folder", ["/proc", "/proc/some/where", "{elsewhere}/text", "{elsewhere}/text/x"])
def test_a_folder_that_cannot_be_written_to_is_refused(train_here, tmp_path, elsewhere, key, folder):
    wanted = folder.format(elsewhere=elsewhere)
    answer = train_here(*(["-m"] if key == "hydra.sweep.dir" else []), f"{key}={wanted}")
    assert answer.code == 1
    assert f"{key}={wanted}" in answer.err
    assert "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["-m"]])
def test_a_place_for_artifacts_that_is_none_is_refused(train_here, tmp_path, arguments):
    (tmp_path / "mlartifacts").write_text("not a folder")
    answer = train_here(*arguments)
    assert answer.code == 1
    assert answer.err.startswith(f"writing to {tmp_path}/mlartifacts failed (Not a directory).")
    assert {path.name for path in tmp_path.iterdir()} - {"outputs"} == {"mlartifacts"}


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    without = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return forked.run("-m", "experiments.train", *arguments, folder=folder, environment={**without, **environment})


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["-m", "lr=0,0.1"], {}, "lr=0.0: valid is a finite number above 0  (1 of 2 jobs)"),
        (["hiden=4"], {}, "hiden=4: there is no such key; did you mean hidden?"),
        (
            ["-m", "seed=0,1"],
            {"MLFLOW_TRACKING_URI": "carrier-pigeon://loft"},
            "MLFLOW_TRACKING_URI=carrier-pigeon://loft: that is no kind of store that is supported",
        ),
    ],
)
def test_a_command_is_refused(tmp_path, traces, arguments, environment, expected):
    answer = command(tmp_path, *arguments, **environment)
    assert answer.returncode == 1
    assert expected in answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr
    assert traces(tmp_path) == []
