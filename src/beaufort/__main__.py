"""``python -m beaufort``."""

from beaufort.cli import main

main()
