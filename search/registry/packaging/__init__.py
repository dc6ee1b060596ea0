"""Trial to served model: best_trial → members → mlflow_model, pyfunc_model → fresh_process → build; ask_version."""
