import math

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import mcnemar, paired_rates, seeds_for_pairs, seeds_needed


def test_pairs_by_hand():
    # (1.95996 sqrt(.3) + .84162 sqrt(.3 - .01))^2 / .01 = (1.07352 + .45322)^2 / .01 = 233.09
    assert seeds_for_pairs(0.3, 0.1).tolist() == [234]


def test_pairs_have_the_power_asked_for():
    # The exact test is a little less powerful than the formula's normal one. Tolerance fixed beforehand: .74 to .84.
    (n,) = seeds_for_pairs(0.3, 0.1)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(int(n), [0.1, 0.2, 0.7], size=2000)
    power = np.mean([mcnemar(int(b), int(c)) < 0.05 for b, c, _ in draws])
    assert 0.74 < power < 0.84


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
