"""Bar charts as SVG that is read aloud: the numbers are in the table beside it."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

_ROW: Final = 28  # pixels of height
_LABELS: Final = 210  # of width for the names
_BARS: Final = 320
_NUMBERS: Final = 170
_LONGEST_LABEL: Final = 30
_MOST_BARS: Final = 20

_CHART: Final = Markup(
    '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{title}: {said}">{bars}</svg>'
)
_BAR: Final = Markup(
    '<text x="0" y="{text}">{label}</text>'
    '<rect class="rail" x="{left}" y="{top}" width="{full}" height="16" rx="3"/>'
    '<rect class="bar" x="{left}" y="{top}" width="{width:.1f}" height="16" rx="3"/>'
    '<text x="{right}" y="{text}">{number}</text>'
)


def bars(values: Sequence[tuple[str, float, str]], title: str, whole: float | None = None) -> Markup:
    """Return a horizontal bar for each value; nothing where there are none.

    Args:
        values: the name, the length, and the number in words.
        title: of the chart.
        whole: the number that a full bar stands for; None: the longest.
    """
    shown = values[:_MOST_BARS]
    longest = whole or max((length for _, length, _ in shown), default=0.0)
    drawn = Markup().join(
        _BAR.format(
            text=place * _ROW + 18, top=place * _ROW + 5, left=_LABELS, full=_BARS, right=_LABELS + _BARS + 10,
            label=_cut(label), width=max(_BARS * length / longest, 0) if longest > 0 else 0, number=number,
        )
        for place, (label, length, number) in enumerate(shown)
    )  # fmt: skip
    if not shown:
        return Markup()
    said = "; ".join(f"{label} {number}" for label, _, number in shown)
    return _CHART.format(width=_LABELS + _BARS + _NUMBERS, height=len(shown) * _ROW, title=title, said=said, bars=drawn)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
