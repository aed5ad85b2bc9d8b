"""Where a run comes from."""

import shlex
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Provenance:
    tags: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)


def provenance(*, engine: str, launcher: str) -> Provenance:
    return Provenance(
        {
            "engine": engine,
            "launcher": launcher,
            "command": shlex.join(["python", "-m", "experiments.train", *sys.argv[1:]]),
        }
    )
