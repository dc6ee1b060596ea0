"""Studies of trials, the record in MLflow, and the command line."""
