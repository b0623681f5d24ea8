"""Importing rows: CSV files and workbooks, in the fleet's own format or as CRMs export them, and the demo."""

from workers.load.dialect import Hints
from workers.load.directory import load_directory
from workers.load.report import LoadReport, Problem, Progress, TableCounts

__all__ = ["Hints", "LoadReport", "Problem", "Progress", "TableCounts", "load_directory"]
