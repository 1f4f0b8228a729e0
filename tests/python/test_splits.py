"""A short form of `make splits`: lakes in parts against builds at once, and killed runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SPLITS = Path(__file__).with_name("splits.py")


def run_splits(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, SPLITS, *arguments], capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    return done.stdout


def test_a_lake_that_arrives_in_parts_gives_what_it_gives_at_once() -> None:
    """The long form: `make splits N=200`."""
    assert "1 of 1 cases equal" in run_splits("--cases", "1", "--seed", "21")


def test_a_run_that_is_killed_loses_nothing() -> None:
    told = run_splits("--cases", "1", "--seed", "60", "--kills", "10")
    assert "20 killed" in told
