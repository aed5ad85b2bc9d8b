"""How tables are written: for a spreadsheet, a page, a paper, and another program."""

import html
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.levels import level_name, plain, unordered

_ROWS_IN_MARKDOWN = 300
_ROWS_ON_A_PAGE = 40
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "…": r"\dots{}", "↓": r"$\downarrow$", "∞": r"$\infty$", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
"""What LaTeX does not print as it stands, or not in every encoding of fonts."""


def cell(value: object) -> str:
    """One value of a table as text: four significant digits, ``none`` for what does not apply, NA as nothing."""
    if value is pd.NA:
        return ""
    if isinstance(value, float) and value == float("inf"):
        return "inf"
    if isinstance(value, float) and value == value and not value.is_integer():
        return f"{value:.4g}"
    return plain(level_name(value), 80)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, whatever it holds."""
    escaped = html.escape(text, quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]|~$" else c for c in escaped)


def markdown(table: pd.DataFrame) -> str:
    """A frame as a Markdown table; of a long one the beginning."""
    table = unordered(table)
    header = " | ".join(markdown_text(plain(str(c))) for c in table.columns)
    rules = " | ".join("---:" if pd.api.types.is_numeric_dtype(table[c]) else "---" for c in table.columns)
    rows = [
        " | ".join(markdown_text(cell(value)) for value in row)
        for row in table.head(_ROWS_IN_MARKDOWN).itertuples(index=False)
    ]
    lines = [f"| {line} |" for line in (header, rules, *rows)]
    if len(table) > _ROWS_IN_MARKDOWN:
        lines += ["", f"The first {_ROWS_IN_MARKDOWN} of {len(table):,} rows."]
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it is, whatever it holds."""
    return "".join(_LATEX.get(c, c) for c in text)


def latex(table: pd.DataFrame, caption: str = "", label: str = "") -> str:
    r"""A frame as a LaTeX table in the manner of booktabs, all its rows.

    It needs ``\usepackage{booktabs}``, and ``longtable`` if it is longer than a page. `caption` and names are printed
    as they are; `label` is for ``\ref``.
    """
    table = unordered(table)
    numeric = "".join("r" if pd.api.types.is_numeric_dtype(table[c]) else "l" for c in table.columns)
    cells = table.astype(object).map(lambda value: latex_text(cell(value)))
    cells.columns = [latex_text(plain(str(c))) for c in table.columns]
    text: str = cells.to_latex(
        index=False, column_format=numeric, caption=latex_text(caption) or None, label=label or None,
        longtable=len(table) > _ROWS_ON_A_PAGE, position="htbp" if len(table) <= _ROWS_ON_A_PAGE else None,
    )  # fmt: skip
    return text


def save_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a frame for spreadsheets and programs: a text that would be taken for a formula begins with ``'``."""
    table = unordered(table).rename(columns=lambda name: _no_formula(str(name)))
    texts = table.select_dtypes(["object", "str"])
    safe = table.assign(**{str(name): texts[name].map(_no_formula) for name in texts})
    safe.to_csv(path, index=False, lineterminator="\n", float_format="%.10g")


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def save_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a frame for programs, its numbers and types as they are."""
    unordered(table).to_parquet(path, index=False)


class Table(pd.DataFrame):
    """A tidy frame of statistics, whose LaTeX is that of `latex`; the options of pandas give what pandas makes."""

    @property
    def _constructor(self) -> type["Table"]:
        return Table

    def to_latex(  # type: ignore[override]
        self, buf: str | Path | None = None, *, caption: str = "", label: str = "", **pandas: Any
    ) -> str | None:
        """Write a booktabs table into a file, or return it."""
        text = super().to_latex(caption=caption, label=label, **pandas) if pandas else latex(self, caption, label)
        if buf is None:
            return text
        Path(buf).write_text(text, "utf-8", newline="\n")
        return None
