"""Folds: one a year, forecast by models that know the years before it; for a trial's validation and a walk-forward.

folds (which rows) → forecast (what is trained on them, and what it says of the year).
"""
