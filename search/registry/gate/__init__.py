"""May a version be champion: collect → track_record; calibration → gate → decision."""
