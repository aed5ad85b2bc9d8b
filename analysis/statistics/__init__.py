"""Statistics of sweeps, as tidy frames: a row per condition with an estimate, its interval (low, high) and n.

A condition is a combination of values of the columns `by`. Nothing is drawn here.
"""

from analysis.statistics.conditions import by_condition, holm
from analysis.statistics.curves import loss_bands, median_final_losses, prediction_quantiles
from analysis.statistics.paired import mcnemar, paired_difference, paired_rates, paired_speeds, pairs
from analysis.statistics.picked import costs_at_once, medians_at_once, rates_at_once
from analysis.statistics.rates import convergence_rates, unlearned
from analysis.statistics.resampling import percentile_interval, resampled_quantile, resamples
from analysis.statistics.running_time import best_restarts, running_times
from analysis.statistics.sample_size import mcnemar_power, seeds_for_pairs, seeds_needed
from analysis.statistics.speeds import LOGRANK, SIGN, share_weights, speed_tests
from analysis.statistics.survival import at_risk, logrank, median_times, survival_curves

__all__ = [
    "LOGRANK", "SIGN", "at_risk", "best_restarts", "by_condition", "convergence_rates", "costs_at_once", "holm",
    "logrank", "loss_bands", "mcnemar", "mcnemar_power", "median_final_losses", "median_times", "medians_at_once",
    "paired_difference", "paired_rates", "paired_speeds", "pairs", "percentile_interval", "prediction_quantiles",
    "rates_at_once", "resampled_quantile", "resamples", "running_times", "seeds_for_pairs", "seeds_needed",
    "share_weights", "speed_tests", "survival_curves", "unlearned",
]  # fmt: skip
