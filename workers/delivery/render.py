"""From an action's template and variables to the text a person reads (`render`), and to its message (`compose`)."""

from workers.delivery.message import compose
from workers.delivery.texts import render

__all__ = ["compose", "render"]
