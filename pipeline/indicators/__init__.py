"""Indicators as plain functions of daily arrays, oldest day first.

Each returns one float64 value a day, NaN where its look-back is not filled, and
is causal: the value at day t depends on days up to t only.  TA-Lib does the
indicator maths.
"""
