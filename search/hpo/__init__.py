"""The main job: command → execute, with launcher; supplement; campaign, with estimate and dry_run."""
