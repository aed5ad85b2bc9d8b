"""Networks drawn as SVG are what they answer."""

import xml.etree.ElementTree as ET

import pytest

import nn_core
from experiments import surfaces
from experiments.config import condition
from experiments.identity import params
from nn_core import Encoder, Parity

SVG = "{http://www.w3.org/2000/svg}"


def trained(make_job, **changes):
    config = make_job(**{"lr": 2.0, "epochs": 1500, "engine": "numba", **changes}).config
    state = nn_core.engine("numba")(condition(config).start([3]), config.epochs)
    return config, nn_core.results(state)[0]


@pytest.mark.parametrize("changes", [{}, {"task": Parity(low=-1.0, high=1.0), "bias": 1.0, "hidden": [3, 2]}])
def test_each_pattern_lies_on_the_colour_of_what_the_network_answers(make_job, changes):
    config, result = trained(make_job, **changes)
    assert result.max_error < 0.1
    picture = ET.fromstring(surfaces.draw(params(config), {"one\nline <more>": result.weights, "b": result.weights}))
    assert [text.text for text in picture.iter(f"{SVG}text")][:3] == ["one", "line <more>", "b"]
    panels = picture.findall(f"{SVG}svg")
    assert len(panels) == 2
    for panel in panels:
        cells = [{k: r.get(k) for k in ("x", "y", "width", "fill")} for r in panel.iter(f"{SVG}rect")]
        circles = list(panel.iter(f"{SVG}circle"))
        assert len(circles) == 4
        for circle in circles:
            x, y = float(circle.get("cx")), float(circle.get("cy"))
            (under,) = {
                cell["fill"]
                for cell in cells
                if int(cell["y"]) == int(y) and int(cell["x"]) <= x < int(cell["x"]) + float(cell["width"]) - 0.05
            }
            red, _, blue = bytes.fromhex(under[1:])
            of_target, _, blue_of_target = bytes.fromhex(circle.get("fill")[1:])
            assert (red > blue) == (of_target > blue_of_target)


def test_a_task_that_is_no_square_is_not_drawn(make_job):
    config, result = trained(make_job, task=Encoder(width=3), hidden=2, epochs=5)
    assert surfaces.draw(params(config), {"a": result.weights}) == b""


def test_damaged_weights_are_told():
    with pytest.raises(ValueError, match="cannot be read"):
        surfaces.weights_in(b"PK\x03\x04nothing")
