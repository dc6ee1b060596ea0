"""What determines a trial: architecture, budget → spec (its flat form, its hash)."""
