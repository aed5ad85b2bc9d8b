"""The examples in the docstrings of the statistics are true."""

import doctest
import importlib
import pkgutil

import pytest

import analysis.statistics

MODULES = sorted(m.name for m in pkgutil.walk_packages(analysis.statistics.__path__, "analysis.statistics."))
WITH_EXAMPLES = {f"analysis.statistics.{name}" for name in ("conditions", "sample_size")}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES
