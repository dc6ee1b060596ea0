"""Results of others as runs: parse → recover (which architecture it was) → record; fields, report."""
