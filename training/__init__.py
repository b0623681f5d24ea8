"""How judgement learns: the texts, the trainers, and what they leave in ``workers/insight/data``.

Nothing here is needed to run the fleet; see README.md of this folder.
"""

import os
from pathlib import Path
from typing import Final

__all__ = ["DATA", "PUBLIC", "WEIGHTS"]

_ROOT: Final = Path(__file__).resolve().parents[1]

DATA: Final = Path(__file__).resolve().parent / "data"
"""The texts that were written for this project."""

WEIGHTS: Final = _ROOT / "workers" / "insight" / "data"
"""Where a trainer writes what it has learned."""

PUBLIC: Final = Path(os.environ.get("FLEET_JUDGEMENT_DIR", _ROOT.parent / "shared" / "data" / "judgement"))
"""The public labelled sets, which are not part of the project: the folder that FLEET_JUDGEMENT_DIR names."""
