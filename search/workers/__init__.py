"""Processes: count → coordinator → pool ⇄ worker, with signals and progress."""
