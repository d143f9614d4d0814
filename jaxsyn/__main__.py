"""`python -m jaxsyn` is the command line."""

from .cli import main

main()
