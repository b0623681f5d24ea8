"""Inbound mail: read it, find what it answers, stop that, and set aside what cannot be taken."""
