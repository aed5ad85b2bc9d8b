"""Expansion of a command line, with Hydra's own sweeper and its composition of every single job as the oracle."""

import gc
import re
import shlex
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from plain import plain

from experiments import identity
from experiments.config import GROUPS
from experiments.jobs import ConfigurationError

WEIGHTS = "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]"


def resolved(composed: DictConfig) -> dict[str, object]:
    """A composed configuration as a plain dictionary, with each group's choice."""
    choices = {group: composed.hydra.runtime.choices[group] for group in GROUPS}
    own = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
    return {**OmegaConf.to_container(own, resolve=True), "choices": choices}


def by_hydra(loader: ConfigLoader, of_hydra: Sequence[str], arguments: Sequence[str]) -> list[tuple[object, object]]:
    """What Hydra's sweeper makes of a command line: overrides and configuration of every job."""
    master = loader.load_configuration("train", [*of_hydra, *arguments], run_mode=RunMode.MULTIRUN)
    parameters = [f"{key}={value}" for key, value in (master.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([*parameters, *arguments])
    (batch,) = BasicSweeper.split_arguments(overrides, None)
    return [(tuple(job), resolved(loader.load_sweep_config(master, job))) for job in batch]


def by_us(jobs):
    return [
        (job.overrides, {**plain(job.config), "choices": {group: job.params[group] for group in GROUPS}})
        for job in jobs
    ]


def same(ours, theirs):
    assert [overrides for overrides, _ in ours] == [overrides for overrides, _ in theirs]
    assert ours == theirs


@pytest.mark.parametrize(
    "line",
    [
        "",
        "lr=0.1,0.5 hidden=2,4 trials=5",
        "seed=range(1,6,2) lr=1",
        "seed=range(3,0,-1)",
        "lr=range(0.5,2,0.5)",
        "lr=sort(choice(3,1),reverse=true)",
        "lr=float(range(1,3))",
        "lr=tag(fine,choice(1,2))",
        "lr=1e-3,.5,1_0.5 seed=1_000",
        "hidden=[8,4],4,[2]",
        """ "activation=choice(tanh,'sigmoid')" """,
        """ "experiment='a,b= c'" 'bias=null,1' """,
        "stop_when_converged=yes,off engine=numpy dry_run=true resume=false",
        "task=glob(*)",
        "criterion=glob([t*,m*],exclude=mse)",
        "task.bits=2,3 task=parity",
        "seed=0,1 task=xor,parity",
        "optimizer=momentum,quickprop optimizer=momentum optimizer.momentum=0,0.5",
        "task=xor,encoder init=normal,xavier",
        f"init=fixed init.weights={WEIGHTS},{WEIGHTS[:-3]}2]",
        "lr=0.1,0.2 lr=0.5",
        "lr=1,2 seed=0 lr=3,4",
        "++lr=0.1 ++seed=1,2",
        "++seed=1,2 seed=3,4",
        "record={per_decade:3},{},{per_decade:4}",
        "record.per_decade=4,5 record={per_decade:3}",
        "hidden=[8,4] hidden.1=2,3",
        "epochs=10,20 record.per_decade=${epochs}",
        "lr=${weight_decay},0.2 weight_decay=1,2",
    ],
)
def test_jobs_are_those_of_hydra(expand, loader, line):
    arguments = shlex.split(line)
    same(by_us(expand(*arguments)), by_hydra(loader, [], arguments))


@pytest.fixture
def studies(tmp_path: Path) -> list[str]:
    """Hydra's own override for a folder of studies: some with sweeps, some with interpolations."""
    (tmp_path / "study").mkdir()
    for name, content in {
        "rates": {"hydra": {"sweeper": {"params": {"lr": "1,2", "seed": "range(2)"}}}, "epochs": 100},
        "widths": {"hydra": {"sweeper": {"params": {"hidden": "[2,2],3", "task": "xor,parity"}}}, "trials": 7},
        "budgets": {"hydra": {"sweeper": {"params": {"seed": "1,2"}}}, "epochs": "${multiply:100,${seed}}"},
        "tied": {"lr": "${task.high}", "epochs": "${seed}", "hidden": "${list:${seed}}"},
    }.items():
        text = "# @package _global_\n" + OmegaConf.to_yaml(OmegaConf.create(content))
        (tmp_path / "study" / f"{name}.yaml").write_text(text)
    return [f"hydra.searchpath=[file://{tmp_path}]"]


@pytest.fixture
def resolvers() -> Iterator[None]:
    OmegaConf.register_new_resolver("multiply", lambda a, b: a * b)
    OmegaConf.register_new_resolver("list", lambda *elements: list(elements))
    yield
    OmegaConf.clear_resolver("multiply")
    OmegaConf.clear_resolver("list")


@pytest.mark.parametrize(
    "line",
    [
        "+study=rates",
        "+study=widths epochs=5",
        "trials=1,2 +study=rates seed=3 epochs=20",
        "+study=budgets",
        "+study=tied seed=1,2 task=xor,parity task.high=3",
    ],
)
def test_jobs_of_a_study_are_those_of_hydra(expand, loader, studies, resolvers, line):
    arguments = line.split()
    same(by_us(expand(*arguments, of_hydra=studies)), by_hydra(loader, studies, arguments))


def test_several_studies_run_one_after_the_other_each_with_its_own_sweep(expand, loader, studies):
    ours = by_us(expand("+study=rates,widths", "bias=1", of_hydra=studies))
    theirs = [
        *by_hydra(loader, studies, ["+study=rates", "bias=1"]),
        *by_hydra(loader, studies, ["+study=widths", "bias=1"]),
    ]
    assert len(ours) == 8
    same(ours, theirs)


def test_sweeps_of_hydras_own_options_come_first(expand, loader):
    of_hydra = ["+hydra.sweeper.params.lr='1,2'", "+hydra.sweeper.params.task='parity,xor'"]
    same(by_us(expand("seed=0,1", of_hydra=of_hydra)), by_hydra(loader, of_hydra, ["seed=0,1"]))


@pytest.mark.parametrize(("typed", "values"), [("lr=5,6", [5.0, 6.0]), ("++lr=5,6", [5.0, 6.0]), ("lr=7", [7.0])])
def test_the_command_line_replaces_what_a_study_sweeps(expand, studies, typed, values):
    jobs = expand("+study=rates", typed, of_hydra=studies)
    assert [(job.config.lr, job.config.seed) for job in jobs] == [(lr, seed) for lr in values for seed in (0, 1)]


@pytest.mark.parametrize("line", ["~lr", "~record", "~epochs seed=0,1"])
def test_a_deleted_key_has_its_default(expand, line):
    arguments = line.split()
    assert [job.config for job in expand(*arguments)] == [job.config for job in expand(*arguments[1:])]


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("seed=range(1000000000)", "1,000,000,000 values"),
        ("seed=range(0,1e300)", "values"),
        ("seed=range(1000) lr=range(1,1001) hidden=range(1,1001)", "1,000,000,000 jobs"),
        ("task=xor,parity seed=range(600)", "1,200 jobs"),
        ("seed=shuffle(range(100000000))", "100,000,000 values"),
        ("seed=sort(range(100000000),reverse=true)", "100,000,000 values"),
    ],
)
def test_more_jobs_than_allowed_are_refused_before_they_are_spelled_out(expand, line, asked):
    with pytest.raises(ConfigurationError, match=f"{asked}.*at most 1,000 jobs.*hydra.sweeper.max_jobs=N"):
        expand(*line.split(), most=1000)


def test_as_many_jobs_as_allowed_are_jobs(expand):
    jobs = expand("task=xor,parity", "seed=range(500)", most=1000)
    assert len({job.config_hash for job in jobs}) == 1000


@pytest.mark.parametrize(
    ("swept", "typed"),
    [
        ("range(0.1,0.4,0.1)", "0.1,0.2,0.3"),
        ("range(0.1,0.8,0.1)", "0.1,0.2,0.3,0.4,0.5,0.6,0.7"),
        ("range(1,0,-0.2)", "1.0,0.8,0.6,0.4,0.2"),
        ("sort(range(1e-3,4e-3,1e-3),reverse=true)", "0.003,0.002,0.001"),
    ],
)
def test_steps_of_a_range_are_what_a_user_would_type(expand, swept, typed):
    """Where Hydra's own are 0.30000000000000004, and a stop that is passed by less than rounding is not the end."""
    assert [job.config_hash for job in expand(f"lr={swept}")] == [job.config_hash for job in expand(f"lr={typed}")]


@pytest.mark.parametrize(
    "empty", ["seed=range(0)", "seed=range(5,5)", "seed=range(5,0)", "task=glob(z*)", "lr=glob(*)", "+study=glob(z*)"]
)
def test_an_empty_sweep_is_refused(expand, empty):
    with pytest.raises(ConfigurationError, match=re.escape(f"{empty}: valid is a sweep of at least one value")):
        expand("lr=1,2", empty)


def test_all_values_that_cannot_be_converted_are_named_together(expand):
    with pytest.raises(ConfigurationError) as refused:
        expand("lr=1,fast,[2]", "seed=0,1.5", "stop_when_converged=true,maybe", "hidden=2,4")
    named = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert named == ["lr=fast", "lr=[2]", "seed=1.5", "stop_when_converged=maybe"]


def test_a_job_carries_its_params_and_their_hash(expand):
    for job in expand("lr=1,2", "task=parity,encoder"):
        assert job.params == identity.params(job.config)
        assert job.config_hash == identity.config_hash(job.params)


@pytest.mark.parametrize(
    "line",
    [
        "lr=1,2 hidden=4,[2,3],[4] bias=null,1 trials=1,5",
        "optimizer=momentum optimizer.scaled=false,true task=parity task.bits=2,3 task.low=-1,0",
        "activation=sigmoid,tanh,relu task.coding=auto,unit task=parity task.low=0,0.5 loss=sse,half_sse",
        "init=fixed init.weights=[1,2],[3,4] record={per_decade:3},{per_decade:4} criterion.tolerance=0.1,.2",
    ],
)
def test_params_put_together_value_by_value_are_those_of_the_configuration(expand, line):
    jobs = expand(*line.split())
    assert len(jobs) > 4
    for job in jobs:
        assert list(job.params.items()) == list(identity.params(job.config).items())


def test_a_job_takes_no_more_than_two_kilobytes(expand):
    def held(rates):
        tracemalloc.start()
        jobs = expand(f"lr={rates}", "seed=range(500)")
        gc.collect()
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return len(jobs), size

    expand("lr=1,2")  # whatever is remembered is remembered now
    (few, small), (many, large) = held("1,2"), held("1,2,3,4,5")
    assert (large - small) / (many - few) < 2000


def test_what_hydra_cannot_compose_is_refused_as_hydra_does(expand):
    with pytest.raises(CompactHydraException, match="Could not find 'task/nand'"):
        expand("task=xor,nand")
