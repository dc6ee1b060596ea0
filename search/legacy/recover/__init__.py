"""From numbers to a trial: grids → architecture → build → trial."""
