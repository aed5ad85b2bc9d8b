import math

import pandas as pd

from analysis.axes import Layout
from analysis.findings import findings, question

LAYOUT = Layout("lr", None, ())


def test_every_trial_converges(make_trials):
    trials = make_trials([10, 20, 30])
    often, when, cost = findings(trials, trials, LAYOUT)
    assert often.startswith("Of 3 networks (1 condition, 3 seeds), 3 converged within 100 epochs: 100% (44 to 100%).")
    assert when.startswith("Half of all networks had converged after 20 epochs (95% interval 10 to ")
    assert cost.startswith("A success is cheapest with lr = 0.1: 20 epochs")
    assert cost.endswith("giving up early gains nothing.")


def test_a_restart_pays(make_trials):
    trials = pd.concat([make_trials([10, 10, math.inf], lr=0.5), make_trials([math.inf] * 3, lr=0.1)])
    often, when, cost = findings(trials, trials, LAYOUT)
    assert "from 0% (0 to 56%) with lr = 0.1 to 67% (21 to 94%) with lr = 0.5." in often
    assert when.startswith("Fewer than half")
    assert "cheapest with lr = 0.5: 15 epochs" in cost
    assert "abandoned after 10 epochs" in cost
    assert cost.endswith("would never end, because some fail.")


def test_nothing_converges(make_trials):
    trials = make_trials([math.inf] * 2)
    assert findings(trials, trials, LAYOUT)[2] == "No network converged, so no number of epochs buys a success here."


def test_the_cutoff_decides(make_trials):
    short = make_trials([10, math.inf, math.inf, math.inf], cutoff=50)
    long = make_trials([10, 60, 70, math.inf], cutoff=100)
    when = findings(pd.concat([short, long]), long, Layout("lr", None, ("epochs",)))[1]
    assert when.endswith("25% had converged after 50 epochs, 75% after 100.")


def test_the_question_names_what_was_varied():
    layout = Layout("lr", "hidden", ("optimizer", "epochs"))
    assert question(layout, ["xor"]) == (
        "At which learning rates, hidden widths, cut-offs and values of optimizer does backpropagation learn xor, "
        "and how fast?"
    )
