"""Is it whole: agreement → audit → text, issues → status → status_table; verify."""
