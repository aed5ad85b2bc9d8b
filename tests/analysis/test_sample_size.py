import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multinomial

from analysis.statistics import mcnemar, mcnemar_power, paired_rates, seeds_for_pairs, seeds_needed


def test_the_power_is_that_of_all_outcomes():
    # Every outcome of n pairs with its multinomial probability, tested one by one.
    for n, psi, difference in ((12, 0.6, 0.4), (25, 0.3, 0.2), (9, 1.0, 0.9)):
        worse, better = (psi - difference) / 2, (psi + difference) / 2
        chances = [worse, better, 1 - psi]
        power = sum(
            multinomial.pmf([b, c, n - b - c], n, chances)
            for b in range(n + 1)
            for c in range(n + 1 - b)
            if mcnemar(b, c) < 0.05
        )
        assert mcnemar_power([n], psi, difference)[0] == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize(
    ("discordant", "difference"), [(0.3, 0.1), (0.1, 0.1), (1.0, 0.1), (0.99, 0.1), (0.5, 0.3), (1.0, 0.9), (0.4, 0.05)]
)
def test_the_power_is_at_least_what_is_promised_from_there_on(discordant, difference):
    (n,) = seeds_for_pairs(discordant, difference)
    assert mcnemar_power([n - 1], discordant, difference)[0] < 0.8
    assert mcnemar_power(np.arange(n, 2 * n + 50), discordant, difference).min() >= 0.8


def test_the_promise_holds_in_simulation():
    # Fixed beforehand: at least .8 less 3 standard errors of 2000 sweeps.
    (n,) = seeds_for_pairs(0.3, 0.1)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(int(n), [0.1, 0.2, 0.7], size=2000)
    power = np.mean([mcnemar(int(b), int(c)) < 0.05 for b, c, _ in draws])
    assert power >= 0.8 - 3 * math.sqrt(0.16 / 2000)


def test_discordance_below_the_difference_is_impossible():
    assert seeds_for_pairs(0.0, 0.2).tolist() == seeds_for_pairs(0.2, 0.2).tolist()


@pytest.mark.parametrize("bad", [0, 1.1])
def test_impossible_wishes_are_refused(bad):
    with pytest.raises(ValueError, match="must lie"):
        seeds_for_pairs(0.3, bad)


def test_from_a_pilot(make_trials):
    first = make_trials([1.0] * 10 + [math.inf] * 10, lr=0.1)
    second = make_trials([1.0] * 13 + [math.inf] * 7, lr=0.5)
    pilot = paired_rates(pd.concat([first, second]), "lr", [(0.1, 0.5)], [])
    needed = seeds_needed(pilot, 0.1).iloc[0]
    assert needed["discordant"] == pytest.approx(3 / 20)
    assert needed["estimate"] == seeds_for_pairs(0.15, 0.1)
    assert needed["high"] > needed["estimate"]
