"""What a study came to: trial_runs, trials_table → card; holdout (who opened the test days)."""
