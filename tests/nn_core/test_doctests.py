"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import nn_core

MODULES = sorted(module.name for module in pkgutil.walk_packages(nn_core.__path__, "nn_core."))
WITH_EXAMPLES = {
    f"nn_core.{name}"
    for name in (
        *("condition", "gradient_check", "losses", "network", "updates"),
        *(f"optimizers.{name}" for name in ("gradient_descent", "momentum", "quickprop", "rprop", "adam")),
        *(f"tasks.{name}" for name in ("xor", "parity", "encoder")),
    )
}


def test_modules_that_should_have_examples_exist():
    assert set(MODULES) >= WITH_EXAMPLES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES
