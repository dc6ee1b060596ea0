"""Dataset versions: join → build → dataset → catalogue, drift, mlflow_dataset; raw_bars (from what a caller sends)."""
