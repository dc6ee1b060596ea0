"""Processes: count → coordinator → pool ⇄ worker, with signals and progress (a table of what is at_work)."""
