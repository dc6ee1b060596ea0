"""``python -m search …`` is ``patchscale …``."""

from search.cli import main

main()
