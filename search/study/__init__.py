"""A study: make_plan → plan → study (its schedule and run) → sampler, pruner → heartbeat → reconcile, restore."""
