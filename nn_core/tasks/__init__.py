"""Tasks: the patterns a network is to learn, one task a file.

What belongs here is a table of inputs and targets and how it comes about; not what a network makes of it.
"""

from nn_core.parts import import_modules
from nn_core.tasks.task import BitTask, Patterns, Task, all_patterns

from nn_core.tasks.xor import Xor  # isort: skip  # the simplest first, also in the lists that users see
from nn_core.tasks.parity import Parity  # isort: skip
from nn_core.tasks.encoder import Encoder  # isort: skip

import_modules(__name__, __path__)

__all__ = ["BitTask", "Encoder", "Parity", "Patterns", "Task", "Xor", "all_patterns"]
