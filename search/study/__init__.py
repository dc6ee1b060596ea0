"""A study: plan (what is asked) → study (its schedule and run) → sampler, pruner → heartbeat → reconcile, restore."""
