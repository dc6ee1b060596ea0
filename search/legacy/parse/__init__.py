"""From files to texts and numbers: files → kinds → source, stream → csv, json, log; the tools of others."""
