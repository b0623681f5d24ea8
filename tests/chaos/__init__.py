"""Faults, one after the other, into a fleet at work: `make chaos`. A short cut of it is part of the suite."""
