"""The pictures: what is in MLflow becomes pandas frames, statistics, figures and a report.

`loading` makes the frames, `levels` gives parameters their order, `axes` decides what goes where, `statistics` sums up
by condition, `figures` draws, `report` puts it into words. What belongs here judges what was run; nothing here
launches anything, knows how runs are configured, or asks MLflow itself.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.runs import Runs, load

__all__ = ["Runs", "load"]


def __getattr__(name: str) -> Any:
    """What a notebook begins with, imported when it is asked for: pandas takes a second, which no ``--help`` has."""
    if name in __all__:
        from analysis import runs

        return getattr(runs, name)
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")
