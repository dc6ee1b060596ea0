"""Who may see which day: target → splits → disjoint, holdout, base_rates."""
