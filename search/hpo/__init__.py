"""The main job: command → execute, with launcher; supplement; continued; campaign, with estimate and dry_run."""
