import math

import pandas as pd

from analysis.axes import Layout
from analysis.loading import Sweep
from analysis.report import findings as report
from analysis.report.findings import question
from nn_core.statistics import running_time_interval
from tracking.record import Run

LAYOUT = Layout("lr", None, ())


def findings(trials, longest, layout, sweeps=()):
    """The sentences alone."""
    return [finding.text for finding in report.findings(trials, longest, layout, sweeps)]


def test_every_trial_converges(make_trials):
    trials = make_trials([10, 20, 30])
    often, when, cost = findings(trials, trials, LAYOUT)
    assert often == "Of 3 networks, 3 meet the criterion at the end (100 epochs): 100% (44 to 100%)."
    assert when.startswith("Half of the networks had converged after 20 epochs (median, 95% interval 10 to ")
    assert cost.startswith("A success is cheapest with lr = 0.1: 20 epochs")
    assert cost.endswith("giving up early gains nothing.")


def test_a_restart_pays(make_trials):
    trials = pd.concat([make_trials([10, 10, math.inf], lr=0.5), make_trials([math.inf] * 3, lr=0.1)])
    often, when, cost = findings(trials, trials, LAYOUT)
    assert often == (
        "In 2 conditions of 3 networks each, the fraction of networks that meet the criterion at the end (100 epochs) "
        "is from 0% (0 to 77%) with lr = 0.1 to 67% (7 to 100%) with lr = 0.5. These 95% intervals hold for all 2 "
        "conditions at once, so for whichever is picked."
    )
    assert when.startswith("In 1 of 2 conditions at least half of the networks converged within 100 epochs; ")
    assert "soonest with lr = 0.5, after 10 epochs (median" in when
    assert "cheapest with lr = 0.5: 15 epochs" in cost
    assert "abandoned after 10 epochs" in cost
    assert "would never end, because some fail." in cost


def grid(make_trials, times):
    """One trial set for each (lr, hidden)."""
    return pd.concat([make_trials(t, lr=lr, hidden=hidden) for (lr, hidden), t in times.items()], ignore_index=True)


def test_conditions_that_tie_are_counted_and_the_fastest_named(make_trials):
    times = {(lr, hidden): [90 / lr / hidden] * 4 for lr in (1.0, 2.0, 3.0) for hidden in (1, 2)}
    times[0.5, 1] = [math.inf] * 4
    trials = grid(make_trials, times)
    often, when, cost = findings(trials, trials, Layout("lr", "hidden", ()))
    assert (
        "from 0% (0 to 76%) with lr = 0.5, hidden = 1 to 100% (24 to 100%) in 6 of 7 conditions, "
        "fastest with lr = 3, hidden = 2."
    ) in often
    assert when.startswith("In 6 of 7 conditions at least half of the networks converged within 100 epochs; ")
    assert "soonest with lr = 3, hidden = 2, after 15 epochs" in when
    assert "It is the lowest of 7 conditions and of all cut-offs, picked after the fact, so it is understated" in cost
    assert cost.endswith("lr = 3 and hidden = 2 are at the edges of what was tried, so beyond may be better.")


def test_few_that_tie_are_all_named(make_trials):
    trials = grid(make_trials, {(0.5, 2): [math.inf] * 2, (1.0, 2): [10, 10], (2.0, 2): [10, 10], (3.0, 2): [20, 90]})
    often, when, cost = findings(trials, trials, LAYOUT)
    assert "100% (8 to 100%) with lr = 1 and with lr = 2 and with lr = 3." in often
    assert "soonest with lr = 1 and with lr = 2, after 10 epochs (median, failures counted)." in when
    assert cost.startswith("A success is cheapest with lr = 1 and with lr = 2: 10 epochs; ")
    assert "edge" not in cost


def test_the_cheapest_within_the_grid_is_not_at_its_edge(make_trials):
    trials = grid(make_trials, {(0.5, 2): [50, 60], (1.0, 2): [10, 20], (2.0, 2): [30, 40]})
    assert findings(trials, trials, LAYOUT)[2].endswith("so it is understated and has no interval.")


def test_nothing_is_pooled_over_conditions(make_trials):
    """What is said of the best condition stays the same when hopeless ones are added, but for what picking costs."""
    good = {(1.0, 2): [10, 20, 30, math.inf], (2.0, 2): [40, 50, math.inf, math.inf]}
    hopeless = {(lr, 2): [math.inf] * 4 for lr in (3.0, 4.0, 5.0, 6.0)}
    few, many = (
        " ".join(findings(trials, trials, LAYOUT))
        for trials in (grid(make_trials, good), grid(make_trials, good | hopeless))
    )
    for said in (
        "to 75% (",
        "soonest with lr = 1, after 20 epochs",
        "cheapest with lr = 1: 30 epochs",
    ):
        assert said in few
        assert said in many


def test_what_is_picked_can_be_confirmed_on_seeds_that_the_sweep_has_not(make_trials):
    trials = grid(make_trials, {(0.5, 2): [50, 60], (1.0, 2): [10, 20]}).assign(seed=[0, 1, 0, 2999])
    sweep = Sweep(Run("0123456789abcdef" * 2, "1", "grid", "FINISHED", 0, 1, ""), "xor", "", 4, 4)
    remedy = findings(trials, trials, LAYOUT, [sweep])[-1]
    assert remedy.endswith("python -m experiments.confirm sweep=0123456789ab best=3 'seed=range(3000,3100)'")
    assert "confirm" not in " ".join(findings(trials, trials, LAYOUT, [sweep, sweep]))
    one = grid(make_trials, {(0.5, 2): [50, 60]})
    assert "confirm" not in " ".join(findings(one, one, LAYOUT, [sweep]))


def test_a_single_condition_has_its_cost_where_nothing_is_picked_too(make_trials):
    trials = make_trials([10, 10, math.inf])
    cost = findings(trials, trials, LAYOUT)[2]
    low, high = running_time_interval([10, 10, math.inf], 100)
    assert cost.endswith(
        "That cut-off is picked after the fact, so the cost is understated and has no interval; abandoned at 100 "
        f"epochs, a success costs 60 (95% interval {float(low):.0f} to {float(high):.0f})."
    )
    always = make_trials([10, 20, 30])
    assert "20 epochs (95% interval" in findings(always, always, LAYOUT)[2]


def test_what_varies_together_is_said(make_trials):
    trials = grid(make_trials, {(4.0, 2): [10, 20], (7.0, 2): [30, 40]})
    layout = Layout("lr", None, (), (("lr", ("loss", "optimizer")),))
    _, _, cost, warning = findings(trials, trials, layout)
    assert warning == layout.warning
    assert "edge" in findings(trials, trials, LAYOUT)[2]
    assert "edge" not in cost


def test_cutoffs_are_those_that_were_run(make_trials):
    trials = pd.concat([make_trials([10], 99, sweep="a"), make_trials([10], 500, sweep="b")])
    often, when, _ = findings(trials, trials, Layout("sweep", None, ()))
    assert "meet the criterion at the end (99 or 500 epochs)" in often
    assert when.startswith("In 2 of 2 conditions at least half of the networks converged within 99 or 500 epochs;")


def test_nothing_converges(make_trials):
    trials = make_trials([math.inf] * 2)
    assert findings(trials, trials, LAYOUT)[2] == "No network converged, so no number of epochs buys a success here."


def test_the_cutoff_decides(make_trials):
    times = {0.1: [10, math.inf, math.inf, math.inf], 0.5: [20, 30, 40, math.inf]}
    late = {0.1: [10, 60, 70, math.inf], 0.5: [20, 30, 40, math.inf]}
    short = pd.concat([make_trials(t, cutoff=50, lr=lr) for lr, t in times.items()])
    long = pd.concat([make_trials(t, cutoff=100, lr=lr) for lr, t in late.items()])
    when = findings(pd.concat([short, long]), long, Layout("lr", None, ("epochs",)))[1]
    assert when.startswith(
        "In 1 of 2 conditions at least half of the networks converged within 50 epochs, in 2 of 2 within 100; soonest"
    )


def test_the_question_is_a_sentence_with_sweeps_too():
    assert question(Layout("sweep", None, ()), ["xor"]) == (
        "In which of the compared sweeps does backpropagation learn xor, and how fast?"
    )
    assert question(Layout("hidden", "sweep", ()), ["xor"]) == (
        "At which hidden widths, and in which of the compared sweeps, does backpropagation learn xor, and how fast?"
    )


def test_the_question_names_what_was_varied():
    layout = Layout("lr", "hidden", ("optimizer", "epochs"))
    assert question(layout, ["xor"]) == (
        "At which learning rates, hidden widths, cut-offs and values of optimizer does backpropagation learn xor, "
        "and how fast?"
    )


def at_end(trials, holding):
    """The same trials, of which so many meet the criterion at the end."""
    return trials.assign(converged_at_end=pd.array([i < holding for i in range(len(trials))], "boolean"))


def test_a_condition_whose_networks_unlearn_is_never_the_best(make_trials):
    fast, slow = make_trials([5.0] * 40, lr=5.0), make_trials([60.0] * 35 + [math.inf] * 5, lr=0.5)
    trials = pd.concat([at_end(fast, 4), slow])
    often, lost, when, cost = findings(trials, trials, LAYOUT)
    assert "meet the criterion at the end (100 epochs) is from 10% (2 to 26%) with lr = 5 to 88%" in often
    assert lost == (
        "Converging did not last in 1 of 2 conditions; most of all with lr = 5: 100% (90 to 100%) had converged at "
        "some pass, and 10% (2 to 26%) meet the criterion at the end."
    )
    assert when.startswith("Half of the networks had converged after 60 epochs")
    assert cost.startswith("A success is cheapest among those that last with lr = 0.5: ")


def test_where_no_convergence_lasts_nothing_is_best(make_trials):
    trials = at_end(make_trials([5.0] * 40), 4)
    assert findings(trials, trials, LAYOUT) == [
        "Of 40 networks, 4 meet the criterion at the end (100 epochs): 10% (4 to 23%).",
        "Converging did not last: 100% (91 to 100%) had converged at some pass, and 10% (4 to 23%) meet the criterion "
        "at the end.",
    ]


def test_runs_that_do_not_tell_their_end_are_told_by_any_pass(make_trials):
    trials = make_trials([10, 20, 30]).assign(converged_at_end=pd.array([True, None, True], "boolean"))
    assert findings(trials, trials, LAYOUT)[0] == "Of 3 networks, 3 converged within 100 epochs: 100% (44 to 100%)."


def test_every_sentence_names_the_tables_it_rests_on(make_trials):
    trials = pd.concat([at_end(make_trials([5.0] * 40, lr=5.0), 4), make_trials([60.0] * 40, lr=0.5)])
    found = report.findings(trials, trials, Layout("lr", None, (), (("lr", ("loss",)),)))
    assert [finding.tables for finding in found] == [
        ("conditions",), ("conditions",), ("survival", "rate"), ("ert",), ("design",)
    ]  # fmt: skip
