#!/usr/bin/env python3
"""Runs sqlfluff, for which Python's garbage collector looks less often than it would by itself.

sqlfluff makes and keeps so many small objects that the collector took a fifth of the time. Its
worker processes import this file again, so they are as patient.
"""

import gc

gc.set_threshold(100_000, 50, 100)

if __name__ == "__main__":
    from sqlfluff.cli.commands import cli

    cli()
