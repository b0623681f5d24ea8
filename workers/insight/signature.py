"""Signatures: find the lines that sign a mail, and read what they say about the sender."""

from workers.insight.signature_fields import Field, Signature, parse_signature
from workers.insight.signature_lines import find_signature

__all__ = ["Field", "Signature", "find_signature", "parse_signature"]
