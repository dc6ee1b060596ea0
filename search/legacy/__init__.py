"""Results of others as runs: record → parse (their files) → recover (which architecture it was)."""
