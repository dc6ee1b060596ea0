"""Market data: source in, dataset version out; it knows nothing of models or runs.

``sources`` → ``snapshots`` → ``checks`` → ``indicators`` → ``tiers`` → ``datasets`` → ``splits``; the ground that all
stand on: ``bars``, ``share_splits``,
``calendars``, ``offsets``, ``trading_days``, ``accepted``, ``named_file``, ``exceptions``.
"""
