"""From numbers to a trial: fields, grids → architecture → trial → build; report."""
