"""The model: a spec and a dataset version in, a trained model out, epoch by epoch; it knows neither Optuna nor MLflow.

``spec`` (what determines a trial) → ``windows`` → ``network`` (PatchTST) → ``training`` → ``metrics`` → ``evaluation``;
``baselines`` (what a model is held against) and ``serving`` (what a registered model is).
"""
