"""Walk-forward: each year forecast by models that know the years before it only; where track records are made.

A spec's setting is given, its weights are not: for each year its number of epochs is chosen on the year before
(trained on what lies before that, early stopping, first seed), and every seed is then refitted for so many epochs
on all rows before the year.  Baselines are fitted to these same rows.  So both read the same days, and neither
reads one whose outcome was not known when its year began.

command → subject → folds → walk → forecast → runs → load → tables.
"""
