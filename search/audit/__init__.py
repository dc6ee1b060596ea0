"""Is it whole: agreement → audit → text → status → status_table; imported; kept_files → verify."""
