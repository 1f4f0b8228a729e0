"""`cx build`: raw gate, dbt, marts gate, publishing, with progress and one summary."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cx_warehouse.dbt_process import DbtBuild
from cx_warehouse.publish import publish
from cx_warehouse.quality.gates import (
    check_marts,
    check_raw,
    has_orders,
    open_lake,
    quarantine_share_max,
)
from cx_warehouse.settings import CxError
from cx_warehouse.summary import BuildReport, summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb
    from rich.console import Console

    from cx_warehouse.dbt_process import DbtLog
    from cx_warehouse.quality.results import GateResult
    from cx_warehouse.settings import Settings

# Without a terminal there is no bar: a line tells when another fifth of the nodes is done.
LINES_OF_PROGRESS: Final = 5
ORDERS_CAME_LATER: Final = (
    "storefront.orders could not be read when the build began, and nothing was built; run it again"
)


class Steps:
    """Shows the steps of a build: bars on a terminal, else a line for each.

    Parameters
    ----------
    console
        Where to write.
    """

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._lines_written = 0
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]\N{CHECK MARK}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._bars.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[TaskID]:
        """Time a step; its end is shown when it succeeds."""
        task = self._bars.add_task(name, total=None, note="")
        started = time.monotonic()
        yield task
        self.seconds[name] = time.monotonic() - started
        total = self._bars.tasks[task].total or 1
        self._bars.update(task, completed=total, total=total, note="")
        if self._bars.disable:
            self._console.print(f"{name}: done in {self.seconds[name]:.1f} s", highlight=False)

    def progress(self, task: TaskID, done: int, total: int, node: str) -> None:
        """Show how far dbt is; called from the thread that reads its log."""
        self._bars.update(task, completed=done, total=total or None, note=node)
        if self._bars.disable and total and done * LINES_OF_PROGRESS // total > self._lines_written:
            self._lines_written = done * LINES_OF_PROGRESS // total
            self._console.print(f"dbt: {done} of {total} nodes", highlight=False)


def build(
    settings: Settings,
    variables: Mapping[str, Any],
    variables_text: str,
    console: Console,
    *,
    full_refresh: bool = False,
) -> None:
    """Run the whole chain and print the summary.

    Parameters
    ----------
    settings
        Which lake and warehouse.
    variables, variables_text
        `--vars`, parsed and as given.
    console
        Where progress and summary go.
    full_refresh
        Build incremental models anew.

    Raises
    ------
    CxError
        If a gate stops, dbt fails, or nothing can be published; what is published stays as it was.
    """
    started = time.monotonic()
    # A wrong value shows before anything is built.
    quarantine_share_max(variables)
    with Steps(console) as steps:
        raw, log = _check_and_build(
            settings, variables, variables_text, steps, full_refresh=full_refresh
        )
        with steps.step("marts gate"):
            marts = check_marts(settings, variables)
        with steps.step("publishing"):
            publication = publish(settings)
    report = BuildReport(log, (raw, marts), publication, steps.seconds, time.monotonic() - started)
    for line in summarize(settings, report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _check_and_build(
    settings: Settings,
    variables: Mapping[str, Any],
    variables_text: str,
    steps: Steps,
    *,
    full_refresh: bool,
) -> tuple[GateResult, DbtLog]:
    """Run the raw gate and dbt; dbt starts while the gate's library is still being imported.

    A lake that cannot be read, or without orders, stops here before dbt starts. What the suites
    find later ends dbt; nothing is published before both have passed.
    """
    with open_lake(settings) as lake:
        if not has_orders(lake):
            check_raw(settings, variables, lake)
            # the gate has read them since: a file was being written at the first look
            raise CxError(ORDERS_CAME_LATER)
        with steps.step("dbt build") as task:
            process = DbtBuild(
                settings,
                variables_text,
                lambda done, total, node: steps.progress(task, done, total, node),
                full_refresh=full_refresh,
            )
            try:
                raw = _timed_raw_gate(settings, variables, lake, steps)
                log = process.wait()
            finally:
                process.stop()
    return raw, log


def _timed_raw_gate(
    settings: Settings,
    variables: Mapping[str, Any],
    lake: duckdb.DuckDBPyConnection,
    steps: Steps,
) -> GateResult:
    with steps.step("raw gate"):
        return check_raw(settings, variables, lake)
