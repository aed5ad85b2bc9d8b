"""Tab completion for ``python -m experiments.train``: Hydra's own knows scripts and commands, but no modules."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO

_SCRIPT = r"""_experiments_train() {
    local line=${COMP_LINE:0:COMP_POINT} choices
    [[ $line =~ ^[[:space:]]*[^[:space:]]+[[:space:]]+-m[[:space:]]+experiments\.train[[:space:]] ]] || return
    local word=${line##*[[:space:]]}
    choices=$(COMP_LINE=$line "${COMP_WORDS[0]}" -m experiments.train -sc query=bash 2>/dev/null)
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
    if [[ $COMP_WORDBREAKS == *=* ]]; then  # then bash replaces no more than what follows the last =
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
    fi
}
complete -o nospace -o default -F _experiments_train python python3"""


def is_asked_for(arguments: Sequence[str]) -> bool:
    """Whether a shell asks, and not a person."""
    return bool({"-sc", "--shell-completion"} & set(arguments))


@contextmanager
def without_names() -> Iterator[None]:
    """Leave out of what Hydra offers the key that tells a part's name: a part is chosen by its group."""
    with redirect_stdout(StringIO()) as offered:
        yield
    print(*(word for word in offered.getvalue().split() if not word.endswith(".name=")))


def answers(arguments: Sequence[str]) -> bool:
    """Print the script for bash if that is asked for; anything else is left to Hydra, in words that it understands."""
    if "install=bash" in arguments:
        print(_SCRIPT)
        return True
    line = os.environ.get("COMP_LINE", "")
    key, equals, _ = line.rpartition(" ")[2].partition("=")
    if equals and (values := _values(key)):
        print("\n".join(f"{key}={value}" for value in values))
        return True
    if line:
        os.environ["COMP_LINE"] = re.sub(r"^\s*\S+\s+-m\s+experiments\.train\b", "train", line)
    return False


def _values(key: str) -> Sequence[str]:
    """What a key may be set to, if that can be listed; Hydra itself knows the values that files and groups offer."""
    from experiments.config import declared

    entry = next((entry for other, _, entry in declared() if other == key), None)
    if entry is not None and "names" in entry.metadata:
        return tuple(entry.metadata["names"]())
    return ("true", "false") if entry is not None and isinstance(entry.default, bool) else ()
