"""Raw bars as downloaded: snapshot (immutable, named by content) ← pull (compared with the one before)."""
