"""What the words of a CRM can mean, by what they are words for."""

from typing import Final

MEANINGS: Final = {
    "deal_stage": ("open", "won", "lost"),
    "order_status": ("open", "delivered", "cancelled", "returned"),
    "case_status": ("open", "closed"),
}
