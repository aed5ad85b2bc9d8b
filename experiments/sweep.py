"""What every job of a sweep must know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments import identity


class SweepStopped(BaseException):
    """The sweep is not to go on. Not an `Exception`, or a launcher would carry on."""


@dataclass(frozen=True)
class Sweep:
    """A sweep, as its jobs see it: small enough to travel to other processes.

    Attributes
    ----------
    run_id : str
        The parent run.
    keys : tuple of str
        What the sweep varies, in the order of the command line.
    """

    run_id: str
    keys: tuple[str, ...]

    @property
    def run_tags(self) -> dict[str, str]:
        """Tags that make a run a child of this sweep."""
        return {"sweep_id": self.run_id, "mlflow.parentRunId": self.run_id}

    def run_name(self, params: Mapping[str, str]) -> str:
        """Name a child by what the sweep varies."""
        return identity.run_name(params, self.keys)
