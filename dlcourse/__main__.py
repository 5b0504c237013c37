"""`python -m dlcourse` is `dlcourse`."""

from dlcourse.cli import main

main()
