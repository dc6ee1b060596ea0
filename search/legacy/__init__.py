"""Legacy results: an earlier study's CSV, JSON and log files, read with suspicion and recorded as MLflow runs."""
