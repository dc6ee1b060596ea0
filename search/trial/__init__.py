"""What makes a run: inputs → runner (one trial), baselines (the models that a trial is held against)."""
