"""``python -m pyhades`` is the command line ``pyhades``."""

from pyhades.cli import main

main()
