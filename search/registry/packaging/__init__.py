"""Trial to served model: best_trial → members → mlflow_model, pyfunc_model → fresh_process → build; ask_version.

What a study leaves in MLflow's Models tab as it closes: kept_models → trial_models.
"""
