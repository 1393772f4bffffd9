"""A figure drawn by matplotlib (extra `report`) and made fit for the page: the page's colours, ids of its own, nothing that points out.

Deterministic: no date, no version and no random id stays in it. Not modelled: fonts; text stays text, in the font of the page.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import Any, Final

from itbpump.hil.report.figures import shown
from itbpump.hil.report.plots import STROKES, Figure, Line

__all__ = ["svg_of"]

# Colours that nothing else in a picture has, and what the page calls them.
_TEXT, _GRID, _LIMIT = "#010203", "#040506", "#070809"
_CURVES = ("#0a0b0c", "#0d0e0f", "#101112", "#131415")
_NAMES: Final = {
    _TEXT: "--text",
    _GRID: "--line",
    _LIMIT: "--limit",
    **{colour: f"--{stroke[0]}" for colour, stroke in zip(_CURVES, STROKES, strict=True)},
}
_DASHES: Final = ("solid", "dashed", "dotted", "dashdot")
_SETTINGS: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "itbpump",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # measured with the one that comes along, so that the picture is the same everywhere
    "font.size": 9.0,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _TEXT,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
}


def svg_of(figure: Figure, prefix: str) -> str:
    """The picture, with each id under `prefix`."""
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: PLC0415

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a sign that its own font lacks; the page's font has it
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)  # type: ignore[arg-type]  # matplotlib names each of its settings in the type
        canvas = Canvas(figsize=(7.2, 3.2), layout="constrained", facecolor="none")
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot(facecolor="none")
        if figure.log_x:
            axes.set_xscale("log")
            ticks = sorted({value for line in figure.curves for value in line.x})
            axes.set_xticks([float(tick) for tick in ticks])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(FuncFormatter(_tick))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        axes.grid(color=_GRID, linewidth=0.6)
        for line in figure.limits:
            axes.plot(*_floats(line), color=_LIMIT, linewidth=0.9)
        for place, line in enumerate(figure.curves):
            marker = "o" if figure.marked else ""
            axes.plot(*_floats(line), color=_CURVES[place], linestyle=_DASHES[place], linewidth=1.6, marker=marker, markersize=3)
        axes.set_xlabel(figure.x_unit)
        axes.set_ylabel(figure.y_unit)
        written = io.StringIO()
        canvas.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _fit(written.getvalue(), prefix, figure.words)


def _tick(value: float, _place: object = None) -> str:
    """As people read numbers; the sixth digit of an axis tells nobody anything."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return shown("0" if text == "-0" else text)


def _floats(line: Line) -> tuple[list[float], list[float]]:
    return [float(value) for value in line.x], [float(value) for value in line.y]


def _fit(text: str, prefix: str, title: str) -> str:
    """Only the picture itself, in the page's colours; ids of its own, because a page has several."""
    svg = text[text.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)  # a style would hold for the whole page
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r' (width|height)="[0-9.]+pt"', "", svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    for colour, name in _NAMES.items():
        svg = svg.replace(colour, f"var({name})")
    return svg.strip().replace(">", f' role="img"><title>{escape(title)}</title>', 1)
