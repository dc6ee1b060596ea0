"""What a version is called and what it leaves: versions → aliases; child_run (the run of a registry's command)."""
