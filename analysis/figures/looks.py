"""What a user may choose about the look of figures, and what is wrong with a choice.

Fonts and palettes are asked of matplotlib and seaborn, which are imported only if one was chosen.
"""

from collections.abc import Sequence

from analysis.command import suggestion
from analysis.figures.sizes import is_size

_INCHES, _POINTS, _DPI = (1, 40), (3, 60), (20, 1200)
_PIXELS = 400e6  # a PNG of more takes gigabytes of memory


def look_problems(font: Sequence[str], figsize: Sequence[object], dpi: int | None, palette: str) -> list[str]:
    """What is wrong with a font, a size in inches, a resolution or a palette, with what would be valid."""
    found = [*_font_problems(font), *_size_problems(figsize, dpi)]
    return [*found, *_palette_problems(palette)] if palette else found


def _size_problems(figsize: Sequence[object], dpi: int | None) -> list[str]:
    found = []
    low, high = _INCHES
    sides = [side for side in figsize if isinstance(side, int | float) and low <= side <= high]
    if figsize and not len(sides) == len(figsize) == 2:
        shown = ",".join(map(str, figsize))
        found.append(f"figsize=[{shown}]: valid are two numbers of inches from {low} to {high}, as [3.5,2.5]")
    if dpi is not None and not _DPI[0] <= dpi <= _DPI[1]:
        found.append(f"dpi={dpi}: valid are whole numbers from {_DPI[0]} to {_DPI[1]}")
    elif len(sides) == 2 and dpi and sides[0] * sides[1] * dpi**2 > _PIXELS:
        found.append(f"dpi={dpi}: at figsize=[{sides[0]},{sides[1]}] that is more than {_PIXELS / 1e6:.0f} megapixels")
    return found


def _font_problems(font: Sequence[str]) -> list[str]:
    sizes, families = [w for w in font if is_size(w)], [w for w in font if not is_size(w)]
    low, high = _POINTS
    found = [f"font={s}: valid are sizes from {low} to {high} points" for s in sizes if not low <= float(s) <= high]
    if len(sizes) > 1 or len(families) > 1:
        found.append(f"font=[{','.join(font)}]: valid is one family, one size in points, or both, as [DejaVu Serif,9]")
    if families:
        from matplotlib.font_manager import font_family_aliases, fontManager

        there = sorted({entry.name for entry in fontManager.ttflist})
        valid = [*sorted(font_family_aliases - {None}), *there]
        known = {name.lower() for name in valid}
        shown = f"{', '.join(valid[:12])}{f' and {len(valid) - 12} more' if len(valid) > 12 else ''}"
        found += [
            f"font={family}: no such family is installed{suggestion(family, valid)}; valid are {shown}"
            for family in families
            if family.lower() not in known
        ]
    return found


def _palette_problems(palette: str) -> list[str]:
    import matplotlib as mpl
    import seaborn as sns

    try:
        sns.color_palette(palette, 3)
    except (ValueError, TypeError, AttributeError, LookupError):
        own = [name for name in sns.palettes.SEABORN_PALETTES if name.isalpha()]
        meant = suggestion(palette, [*own, "husl", "hls", *mpl.colormaps])
        return [
            f"palette={palette}: no such palette{meant}; valid are {', '.join(own)}, "
            "husl, hls, and colour maps such as viridis, rocket or Set2"
        ]
    return []
