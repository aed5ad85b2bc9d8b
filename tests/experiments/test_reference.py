"""The reference page is what the declarations say, and says all of it."""

from dataclasses import fields
from pathlib import Path

from experiments.config import Config
from experiments.reference import TITLES, reference
from nn_core.parts import options, parts

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "configuration.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == reference(), "run: python -m experiments.reference > docs/configuration.md"


def test_every_key_part_and_option_is_on_it():
    page = reference()
    for key in (entry.name for entry in fields(Config) if entry.name != "record"):
        assert f"| `{key}` |" in page
    for kind in TITLES:
        for name, part in parts(kind).items():
            assert f"**`{kind}={name}`** " in page
            for option in options(part):
                assert f"| `{kind}.{option.name}` |" in page
                assert option.metadata["about"] in page
