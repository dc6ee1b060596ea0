"""The parts of the page, one module a part; each makes a section of what was read and measured."""
