"""Whatever is typed, there is an answer, and never a traceback."""

import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from experiments.config import GROUPS, Config
from nn_core import parts

KEYS = [
    *Config.__dataclass_fields__,
    *("task.low", "task.bits", "task.width", "init.low", "init.std", "init.weights", "init.weights.0", "hidden.0"),
    *("optimizer.momentum", "optimizer.mu", "criterion.tolerance", "criterion.below", "record.per_decade"),
    *("study", "study@task", "task@init", "task@_global_", "hydra/launcher", "hydra/sweeper", "hydra.sweeper.max_jobs"),
    *("hydra.sweeper.params.lr", "hydra.verbose", "hydra.job.num", "hydra", "lr.x", "experiment.0", "defaults"),
]

WORDS = r"""
0 1 -1 0.5 1e400 nan -inf null true off 4,8 [8,4] [8,4],4 [] [[1]] {} {per_decade:4} {a:1},{b:2} a,a 1,1.0
range(3) range(0,1,0) range(9,0) range(1e9) range(0,nan) choice(1,2) choice() interval(0,1) glob(*) glob(x)
sort(2,1) shuffle(1,2) tag(a,choice(1,2)) int(1.5) float(range(2)) str([1,2]) json_str({}) extend_list(1)
${lr} ${seed},2 ${nope} ${lr ${ ${oc.env:NOPE} ${now:%Y} ${hydra:job.num} ${task} $ ??? ' '' " \ = == a=b
../../x x/y : @ ~ + é 日本 😀 hamey_1991_xor fahlman_1989_xor,hamey_1991_xor numba,numpy basic joblib sigmod
"""

VALUES = [
    *(name for group in GROUPS for name in parts(group)),
    *WORDS.split(),
    *("", " ", "\t", "'a b'", "\u202e", "9" * 30, "9" * 5000, "[" * 200),
]

GRAMMAR = st.text(st.sampled_from("[]{}(),:='\"\\$@~+-./ 019aeE_%*?é😀\t"), max_size=12)
KEY = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS), GRAMMAR)
VALUE = st.one_of(st.sampled_from(VALUES), st.sampled_from(VALUES), GRAMMAR)
OVERRIDE = st.one_of(
    st.builds("{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), KEY, VALUE),
    st.builds("{}{}".format, st.sampled_from(["~", "+", ""]), KEY),
)


@pytest.mark.parametrize("multirun", [False, True])
@settings(max_examples=90, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=3))
@example(overrides=["+task.x=1,2"])
@example(overrides=["record=${task}"])
@example(overrides=["hidden=[4,4]", "hidden.0=1,2"])
@example(overrides=["task=null"])
@example(overrides=["hydra.verbose={}"])
@example(overrides=["hydra.job.num=${hydra:job.num}"])
@example(overrides=["hydra.sweep.subdir=${hydra.job.num}"])
@example(overrides=["+hydra.sweeper.params.lr='${nope}'"])
def test_no_override_meets_a_traceback(train_here, tmp_path, traces, multirun, overrides):
    answer = train_here(*["-m"] * multirun, *overrides, "dry_run=true")
    assert answer.code in {0, 1, 2}
    assert "Traceback" not in answer.out + answer.err
    assert answer.code == 0 or answer.err.strip()
    assert traces(tmp_path) == []
    for folder in ("outputs", "multirun"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
