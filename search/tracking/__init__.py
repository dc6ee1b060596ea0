"""MLflow's and Optuna's stores: stores → tags (names) → run (what is written) → artifacts; provenance, board."""
