"""Market data to dataset versions: sources, snapshots, checks, features, labels, splits."""
