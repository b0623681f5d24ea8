"""Reproducible figures: speed here, quality of judgement in bench.insight."""
