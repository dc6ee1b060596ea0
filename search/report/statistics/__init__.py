"""Figures that only the report works out: measure, shape, proportions, importance, thresholds, reliability."""
