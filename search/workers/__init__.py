"""Processes: count → coordinator ⇄ worker, with signals and progress."""
