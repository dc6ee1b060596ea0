"""Versions: packaging (a model that carries its code) → gate (may it be champion) → register, promote → live, holdout.

Loose beside the rooms: what all of them share (aliases, versions, description, child_run), and compare, gc.
"""
