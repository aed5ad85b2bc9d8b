"""Which figures there are: every public function of a file in this folder that returns a `Drawing`.

Its name is the figure's, the first paragraph of its docstring says what it shows, and its keyword-only arguments are
options of the command line, explained under Parameters. So a new figure is one new file.

What is declared is read without running the file, as a package's version is: to import it would be to import
matplotlib, pandas and seaborn, and nobody who asks for help or mistypes a name wants to wait for these.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, make_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from analysis.command import Options, entry

if TYPE_CHECKING:
    from analysis.figures.drawing import Drawing, NotApplicableError
    from analysis.figures.view import View
    from nn_core import PartError

_ORDER = ("rate", "heatmap", "loss", "survival", "ert", "predictions", "surface", "gallery", "paired")
"""How a reader meets them: how often, how fast, at what cost, what the networks do; others follow by name."""

_PARAMETER = re.compile(r"^(\w+)(?: : .*)?\n((?: {4}.*(?:\n|$))+)", re.MULTILINE)


@dataclass(frozen=True)
class Figure:
    """A figure as it is declared."""

    name: str
    shows: str
    module: str  # that holds its function
    options: tuple[tuple[str, Any, "Field[Any]"], ...]  # what can be chosen about it, as `make_dataclass` takes it

    @property
    def function(self) -> "Callable[..., Drawing]":
        """What draws it, from a `View` and its options; importing it takes seconds the first time."""
        return cast("Callable[..., Drawing]", getattr(import_module(self.module), self.name))

    def chosen(self, view: "View") -> dict[str, Any]:
        """Its options that the user gave a value."""
        given = {name: getattr(view.selection, name) for name, _, _ in self.options}
        return {name: given[name] for name, _, option in self.options if given[name] != _default(option)}

    def draw(self, view: "View") -> "Drawing | NotApplicableError | PartError":
        """Draw it in the view's style, or return why it makes no sense for the data or cannot be drawn here."""
        from analysis.figures.drawing import NotApplicableError
        from analysis.figures.style import applied
        from nn_core import PartError

        try:
            with applied(view.style):
                return self.function(view, **{name: getattr(view.selection, name) for name, _, _ in self.options})
        except (NotApplicableError, PartError) as reason:
            return reason


def _default(option: "Field[Any]") -> Any:
    return option.default if option.default is not MISSING else []


def _declared(path: Path) -> Iterator[Figure]:
    for node in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(node, ast.FunctionDef) or node.name[0] == "_" or node.returns is None:
            continue
        if ast.unparse(node.returns) == "Drawing":
            document = ast.get_docstring(node) or ""
            explained = {name: " ".join(text.split()) for name, text in _PARAMETER.findall(document)}
            options = tuple(
                _option(node.name, argument, default, explained.get(argument.arg, ""))
                for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            )
            shows = " ".join(document.split("\n\n")[0].split())
            yield Figure(node.name, shows, f"{__package__}.{path.stem}", options)


def _option(figure: str, argument: ast.arg, default: ast.expr | None, text: str) -> tuple[str, Any, "Field[Any]"]:
    """One option as a field of a dataclass, its type that of its default value."""
    assert argument.annotation is not None, f"{figure}: {argument.arg} has no annotation"
    assert default is not None, f"{figure}: {argument.arg} has no default"
    value, annotation = ast.literal_eval(default), ast.unparse(argument.annotation)
    metadata: dict[str, Any] = {"help": text, "figure": figure, "run_ids": "RunId" in annotation}
    if value != ():
        return argument.arg, type(value), field(default=value, metadata=metadata)
    if some := re.match(r"tuple\[(\w+(?:, \w+)*)\]", annotation):  # tuple[Any, Any], but not tuple[Any, ...]
        metadata["length"] = len(some[1].split(","))
    kind: Any = list[str] if re.search("str|RunId", annotation) else list[Any]
    empty: Any = field(default_factory=list, metadata=metadata)
    return argument.arg, kind, empty


_DECLARED = [figure for path in sorted(Path(__file__).parent.glob("*.py")) for figure in _declared(path)]
FIGURES = {figure.name: figure for figure in sorted(_DECLARED, key=lambda f: (*_ORDER, f.name).index(f.name))}


def listing() -> str:
    """All figures with what they show, for ``--help``."""
    return "\n".join(["Figures:", *(line for f in FIGURES.values() for line in entry(f.name, f.shows))])


def with_figure_options(schema: type[Options]) -> type[Options]:
    """The options of a command that draws figures: its own, and those of every figure."""
    options = [option for figure in FIGURES.values() for option in figure.options]
    return cast("type[Options]", make_dataclass(schema.__name__, options, bases=(schema,)))
