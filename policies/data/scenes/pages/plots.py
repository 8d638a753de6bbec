"""Charts drawn by matplotlib, as they stand in papers and notebooks: bars, lines with markers, points, horizontal bars.

The data and the questions are those of the other charts; where the bars, points and words came to lie is asked of
matplotlib after it has drawn. Its defaults are restored first, so that a person's own settings change no picture.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from policies.data.scenes.assets import Assets
from policies.data.scenes.pages.chart_data import Chart, draw_data
from policies.data.scenes.pages.chart_questions import ask_chart
from policies.data.scenes.pages.charts import palette
from policies.data.scenes.pages.looks import finish
from policies.data.scenes.pages.sheet import Sheet
from policies.data.scenes.pages.theme import draw_theme
from policies.data.scenes.paint import Colour, Mark, rectangle
from policies.data.scenes.scene import Scene, Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
MARKERS = ("o", "s", "^", "D", "v", "P")


def make_plot(rng: random.Random, split: Split, assets: Assets) -> Scene:
    """One chart that fills the picture."""
    theme = draw_theme(rng, split, assets, (22, 34), ("sans", "sans", "serif"), paper=False, dark=0.1)
    sheet = Sheet(rng, split, assets, theme, (rng.randint(1600, 2200), rng.randint(1100, 1600)))
    kind = rng.choice(["bar", "grouped", "line", "line", "points", "rows"])
    chart = draw_data(sheet, "bar" if kind == "points" else kind, palette(sheet))
    chart.kind = kind
    draw(sheet, chart)
    ask_chart(sheet, chart)
    return finish(sheet, "plot", ("screen", "screen", "screen", "scan"))


def draw(sheet: Sheet, chart: Chart) -> None:
    """The chart on the whole sheet; fills in the marks of `chart`."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    theme, rng = sheet.theme, sheet.rng
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure((sheet.width / DPI, sheet.height / DPI), DPI, facecolor=_rgb(theme.ground))
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes(
            (0.2 if chart.kind == "rows" else 0.1, 0.18, 0.7 if chart.kind == "rows" else 0.85, 0.68)
        )
        axes.set_facecolor(_rgb(theme.ground))
        shapes = _data(axes, chart, rng)
        labels = _labels(sheet, axes, chart)
        words = _axes(sheet, axes, chart)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        sheet.cover(Image.fromarray(np.ascontiguousarray(pixels)), 0, 0)
        place = _Place(sheet, figure)
        chart.shapes = [[place.shape(*one) for one in row] for row in shapes]
        chart.labels = [[place.text(label) if label is not None else None for label in row] for row in labels]
        chart.title_mark, chart.axis_mark = place.text(words["title"][0]), place.text(words["axis"][0])
        chart.name_marks = [place.text(text) for text in words["names"]]
        chart.legend = [place.text(text) for text in words["legend"]]
        for text in words["ticks"]:
            place.text(text)


def _data(axes: Axes, chart: Chart, rng: random.Random) -> list[list[tuple[Any, float, float]]]:
    """Draws the values; of each (what asks for its extent, or None for a point; x; y), by series."""
    at = np.arange(len(chart.names), dtype=float)
    wide = rng.uniform(0.55, 0.8) / len(chart.series)
    found: list[list[tuple[Any, float, float]]] = []
    for number, values in enumerate(chart.values):
        heights = [float(value.number or 0) for value in values]
        colour = _rgb(chart.colours[number])
        shift = (number - (len(chart.series) - 1) / 2) * wide
        if chart.kind in ("bar", "grouped"):
            bars = axes.bar(at + shift, heights, wide, color=colour, zorder=3)
            found.append([(bar, x, y) for bar, x, y in zip(bars, at + shift, heights, strict=True)])
        elif chart.kind == "rows":
            bars = axes.barh(at, heights, wide, color=colour, zorder=3)
            found.append([(bar, y, x) for bar, x, y in zip(bars, at, heights, strict=True)])
        else:
            line = "-" if chart.kind == "line" else ""
            axes.plot(at, heights, line, marker=MARKERS[number % len(MARKERS)], markersize=10, color=colour, zorder=3)
            found.append([(None, x, y) for x, y in zip(at, heights, strict=True)])
    if chart.kind == "rows":
        axes.invert_yaxis()
    return found


def _labels(sheet: Sheet, axes: Axes, chart: Chart) -> list[list[Any]]:
    """The values beside their bars and points, where they are printed."""
    from matplotlib.patheffects import withStroke

    ink, size = _rgb(sheet.theme.ink), 0.8 * sheet.theme.size
    halo = withStroke(linewidth=size / 5, foreground=_rgb(sheet.theme.ground))  # a line may run through a label
    found: list[list[Any]] = []
    wide = 0.68 / len(chart.series)
    for number, values in enumerate(chart.values):
        shift = (number - (len(chart.series) - 1) / 2) * wide if chart.kind == "grouped" else 0.0
        row: list[Any] = []
        for place, value in enumerate(values):
            if not chart.printed:
                row.append(None)
                continue
            across = chart.kind == "rows"
            point = (value.number or 0, place) if across else (place + shift, value.number or 0)
            row.append(
                axes.annotate(
                    value.text,
                    point,
                    xytext=(6, 0) if across else (0, 7),
                    textcoords="offset points",
                    ha="left" if across else "center",
                    va="center" if across else "bottom",
                    color=ink,
                    font=_font(sheet, "body", size),
                    path_effects=[halo],
                    zorder=4,
                )
            )
        found.append(row)
    return found


def _axes(sheet: Sheet, axes: Axes, chart: Chart) -> dict[str, list[Any]]:
    """Title, axes, grid and legend; returns their texts."""
    theme, rng = sheet.theme, sheet.rng
    ink, size = _rgb(theme.ink), theme.size
    names, values = (axes.yaxis, axes.xaxis) if chart.kind == "rows" else (axes.xaxis, axes.yaxis)
    names.set_ticks(range(len(chart.names)), chart.names)
    steps = np.arange(0, chart.top + chart.step / 2, chart.step)
    values.set_ticks(steps, [f"{step:g}" for step in steps])
    limits = (0, chart.top * (1.12 if chart.printed else 1.04))
    (axes.set_xlim if chart.kind == "rows" else axes.set_ylim)(*limits)
    if not chart.printed or rng.random() < 0.5:
        values.grid(True, color=_rgb(theme.line), linewidth=1.2, zorder=0)
        axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(rng.random() < 0.4)
    for spine in axes.spines.values():
        spine.set_color(ink)
    axes.tick_params(colors=ink, labelcolor=ink)
    ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    for tick in ticks:
        tick.set_fontproperties(_font(sheet, "body", size * 0.85))
        tick.set_color(ink)
    if chart.kind != "rows" and max(map(len, chart.names)) * len(chart.names) * size > sheet.width * 1.2:
        for tick in axes.get_xticklabels():
            tick.set(rotation=rng.choice([30, 45]), ha="right", rotation_mode="anchor")
    title = axes.set_title(chart.title, color=ink, font=_font(sheet, "head", size * 1.5), pad=size)
    axis = values.set_label_text(chart.topic.axis, color=ink, font=_font(sheet, "body", size))
    legend: list[Any] = []
    if len(chart.series) > 1:
        handles = axes.containers if chart.kind == "grouped" else axes.get_lines()
        box = axes.legend(
            list(handles),
            chart.series,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.1),
            ncols=len(chart.series),
            prop=_font(sheet, "body", size * 0.9),
            labelcolor=ink,
            facecolor=_rgb(theme.ground),
        )
        legend = list(box.get_texts())
    labels = list(names.get_ticklabels())
    return {"title": [title], "axis": [axis], "names": labels, "legend": legend, "ticks": list(values.get_ticklabels())}


class _Place:
    """Where things came to lie, in pixels from the upper left corner."""

    def __init__(self, sheet: Sheet, figure: Figure) -> None:
        self.sheet, self.figure = sheet, figure

    def text(self, text: Any) -> Mark:
        return self._mark("text", text.get_window_extent(), text.get_text())

    def shape(self, part: Any, x: float, y: float) -> Mark:
        if part is not None:
            return self._mark("bar", part.get_window_extent())
        px, py = self.figure.axes[0].transData.transform((x, y))
        mark = Mark("point", rectangle(px - 10, self.sheet.height - py - 10, 20, 20))
        self.sheet.panel.marks.append(mark)
        return mark

    def _mark(self, name: str, extent: Any, text: str = "") -> Mark:
        quad = rectangle(extent.x0, self.sheet.height - extent.y1, extent.width, extent.height)
        mark = Mark(name, quad, text) if text else Mark(name, quad)
        self.sheet.panel.marks.append(mark)
        return mark


def _font(sheet: Sheet, role: str, size: float) -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(sheet.font(size, role).path), size=size * 72 / DPI)


def _rgb(colour: Colour) -> tuple[float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255
