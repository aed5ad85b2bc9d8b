"""Results side by side in one document: a section for each part, in it one for each machine.

## Training alone                         a part
`python -m benchmarks kernel`
### 2 cores of AMD EPYC, znver4, AVX-512  a machine
...
"""

import re
from collections.abc import Sequence


def _sections(text: str, level: int) -> tuple[str, dict[str, str]]:
    """Split at headings of a level: what stands before the first, and the text under each by title."""
    before, *rest = re.split(rf"^{'#' * level} (.+)\n", text, flags=re.MULTILINE)
    return before.strip(), {title: body.strip() for title, body in zip(rest[::2], rest[1::2], strict=True)}


def _text(before: str, sections: dict[str, str], level: int) -> str:
    return "\n\n".join([before, *(f"{'#' * level} {title}\n\n{body}" for title, body in sections.items())])


def renewed(document: str, part: str, introduction: str, machine: str, results: str) -> str:
    """Return the document with a part's results on a machine put in or replaced, and all else as it was.

    Raises
    ------
    ValueError
        If the results have headings of levels that are the document's own.
    """
    if re.search(r"^#{1,3} ", results, flags=re.MULTILINE):
        raise ValueError(f"{part}: headings of results begin at level 4")
    before, parts = _sections(document, 2)
    _, machines = _sections(parts.get(part, ""), 3)
    machines[machine] = results.strip()
    parts[part] = _text(introduction, machines, 3)
    return _text(before, parts, 2) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown of a table of numbers; the first column may be words."""
    header_line, *lines = (f"| {' | '.join(map(str, cells))} |" for cells in (header, *rows))
    first = "--:" if str(rows[0][0])[0].isdigit() else "---"
    return "\n".join([header_line, f"|{first}{'|--:' * (len(header) - 1)}|", *lines])
