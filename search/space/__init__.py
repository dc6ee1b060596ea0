"""What can be searched: axes → depth → grid → extremes → untested → ranks (what Optuna sees)."""
