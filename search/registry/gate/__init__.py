"""May a version be champion: track_record (what a claim rests on) ← collect; calibration → gate → decision."""
