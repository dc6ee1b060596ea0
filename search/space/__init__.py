"""What can be searched: axes → depth → grid → extremes (an assignment) → untested → ranks (what Optuna sees)."""
