"""MLflow's and Optuna's stores: stores → run (what is written of a trial) → artifacts; provenance, board."""
