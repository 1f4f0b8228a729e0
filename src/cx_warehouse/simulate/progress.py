"""Runs a simulation with a progress bar on a terminal, and says what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from cx_warehouse.simulate.run import Outcome, simulate

if TYPE_CHECKING:
    from pathlib import Path

    from cx_warehouse.simulate.config import Config


def simulate_and_tell(config: Config, out: Path) -> Outcome:
    """Write a lake and its truth below a folder, and tell where they are.

    Parameters
    ----------
    config
        What to simulate.
    out
        A folder without a lake.

    Returns
    -------
    Outcome
        What was written.
    """
    console = Console()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("customers", total=config.customers)
        outcome = simulate(config, out, lambda done: progress.advance(task, done))
    width = max(map(len, outcome.rows))
    for name, rows in outcome.rows.items():
        console.print(f"{name:<{width}} {rows:>13,}", highlight=False)
    dirty = outcome.truth_rows.get("dirty_rows", 0)
    console.print(f"lake:  {outcome.lake}", soft_wrap=True, highlight=False)
    console.print(
        f"truth: {outcome.truth} ({dirty:,} rows of dirt listed)", soft_wrap=True, highlight=False
    )
    return outcome
