"""Signatures: find the lines that sign a mail, and read what they say about the sender."""

from workers.insight.signature_fields import parse_signature
from workers.insight.signature_lines import find_signature
from workers.insight.signature_values import Field, Signature

__all__ = ["Field", "Signature", "find_signature", "parse_signature"]
