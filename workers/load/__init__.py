"""Importing rows: CSV folders in the fleet's own format or of the public CRM sales set, and the demo."""

from workers.load.directory import load_directory
from workers.load.report import LoadReport, Problem, Progress, TableCounts

__all__ = ["LoadReport", "Problem", "Progress", "TableCounts", "load_directory"]
