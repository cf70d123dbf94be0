"""`python -m disprop` is the command line."""

from disprop.cli import main

main()
