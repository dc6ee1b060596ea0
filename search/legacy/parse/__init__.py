"""From files to texts and numbers: source → csv, json, log; log_lines, flat_dict, strict_json."""
