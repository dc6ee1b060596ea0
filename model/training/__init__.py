"""A network, trained: device → execution, memory, allocator → optimizer → step → trainer; refit, resume."""
