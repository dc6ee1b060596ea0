"""A study: values, request (what can be asked) → make_plan → plan → study (its schedule and run) → its repair.

The schedule has its sampler, pruner and heartbeat; ``trial_run`` is what a trial
writes; ``reconcile`` and ``restore`` are the repair.
"""
