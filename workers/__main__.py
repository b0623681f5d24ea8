"""`python -m workers` is `fleet`."""

from workers.cli import main

main()
