"""Registered models: packages in MLflow's form, versions and aliases."""
