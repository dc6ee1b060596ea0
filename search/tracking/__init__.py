"""MLflow's and Optuna's stores: stores → tags (names) → run (the writer), reader → artifacts; provenance, board."""
