"""A file becomes daily bars: encoding → layout (or columnar) → columns → dates, numbers → reading; settings; faults."""
