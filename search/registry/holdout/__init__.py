"""The sealed test days: evaluate (opens them, and records it) → sealed_days (scores them)."""
