"""Messages per day as an SVG picture: a bar for each day, and a second one beside it with other settings."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final
from xml.etree import ElementTree as ET

_WIDTH, _HEIGHT, _MARGIN = 960, 320, 48
_COLOURS: Final = ("#4472a8", "#d98032")
_GREY: Final = "#555555"


def plot(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the picture of one or two reports, by what they are called."""
    written = [{row["day"]: row["messages"] for row in report["days"]} for report in reports.values()]
    days = _every_day([day for counts in written for day in counts])
    most = max(1, *(max(counts.values(), default=0) for counts in written))
    svg = ET.Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img",
        "font-family": "sans-serif", "font-size": "12",
    })  # fmt: skip
    ET.SubElement(svg, "title").text = "Messages per day"
    _rectangle(svg, (0, 0), (_WIDTH, _HEIGHT), "#ffffff")
    for number in (0, most):
        _rectangle(svg, (_MARGIN, _y(number, most)), (_WIDTH - 2 * _MARGIN, 1), "#bbbbbb")
        _write(svg, (_MARGIN - 8, _y(number, most) + 4), f"{number:,}", "end")
    for day, x, anchor in ((days[0], _MARGIN, "start"), (days[-1], _WIDTH - _MARGIN, "end")) if days else ():
        _write(svg, (x, _HEIGHT - _MARGIN + 20), day.isoformat(), anchor)
    width = 0.8 * (_WIDTH - 2 * _MARGIN) / max(len(days), 1) / len(written)
    for place, (name, counts) in enumerate(zip(reports, written, strict=True)):
        _write(svg, (_MARGIN + 300 * place, 24), f"{name}: {sum(counts.values()):,} messages", fill=_COLOURS[place])
        for index, day in enumerate(days):
            top = _y(counts.get(day, 0), most)
            _rectangle(svg, (_x(index, days) + place * width, top), (width, _y(0, most) - top), _COLOURS[place])
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _every_day(days: Sequence[date]) -> list[date]:
    """Return the days from the first to the last."""
    if not days:
        return []
    first, last = min(days), max(days)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _x(index: int, days: Sequence[date]) -> float:
    return _MARGIN + (_WIDTH - 2 * _MARGIN) * index / len(days)


def _y(number: int, most: int) -> float:
    return _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * number / most


def _rectangle(svg: ET.Element, corner: tuple[float, float], size: tuple[float, float], fill: str) -> None:
    (x, y), (width, height) = corner, size
    ET.SubElement(
        svg, "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{height:.1f}", fill=fill
    )  # fmt: skip


def _write(svg: ET.Element, place: tuple[float, float], text: str, anchor: str = "start", *, fill: str = _GREY) -> None:
    x, y = place
    element = ET.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": fill})
    element.text = text
