"""What an engine may write into each letter: to try a text on before there is any, and to show what customers see."""

from collections.abc import Mapping
from typing import Any, Final

_PERSON: Final = {"company": "Acme", "first_name": "Ada", "owner_name": "Bo Berg"}
SAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "feedback_request": {"order_number": "2026-0815", "first_name": "Ada", "delivered_on": "23 February"},
    "deal_follow_up": {
        **_PERSON, "deal": "Ten licences", "stage": "proposal", "days_silent": 12, "step": 1, "max_steps": 5,
    },
    "quote_follow_up": {
        **_PERSON, "quote_number": "Q-2026-0007", "title": "Ten licences", "amount": 1200, "currency": "EUR",
        "valid_until": "2026-03-31", "view_count": 0, "step": 1, "max_steps": 5,
    },
    "compliance_reminder": {
        "compliance_type": "Supplier declaration", "entity": "Acme", "entity_type": "client", "first_name": "Ada",
        "due_on": "2026-03-12", "missing": ["tax_id", "insurance_valid_until"],
        "errors": ["permit_valid_until lapsed on 2026-01-31"], "others": [], "step": 1,
    },
}  # fmt: skip
