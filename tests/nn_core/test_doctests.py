"""The examples in the docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import nn_core

MODULES = sorted(module.name for module in pkgutil.iter_modules(nn_core.__path__))
WITH_EXAMPLES = {"gradient_check", "network", "optimizers"}


def test_modules_that_should_have_examples_exist():
    assert set(MODULES) >= WITH_EXAMPLES


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(f"nn_core.{name}"))
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name not in WITH_EXAMPLES
