"""Runs `dbt build` as a process of its own and follows it by its log lines.

A process of its own, because DuckDB lets one process write the build file, and the gates open it
afterwards.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from cx_warehouse.settings import PROJECT_ROOT, CxError, Settings, without_data

STOP_SECONDS: Final = 10
FAILURES_SHOWN: Final = 5
FINAL_STATES: Final = frozenset(
    {"success", "pass", "warn", "fail", "error", "runtime error", "partial success", "skipped"}
)
GOOD_STATES: Final = frozenset({"success", "pass", "warn"})
# The first line of an error says where it arose, which the node's name says already.
ERROR_HEADING: Final = re.compile(
    r"(Encountered an error:|[\w ]+ Error( in .*)?|\S+ failed, error:)"
)

# Number of nodes that are done, of all, and the name of the one that has just finished.
OnProgress = Callable[[int, int, str], None]


@dataclass
class DbtLog:
    """What the log lines have said so far.

    Attributes
    ----------
    total
        Nodes that will run; 0 until dbt knows.
    states
        Final state of each node by (kind, name); kind is model, seed, test and so on.
    failures
        One line for each failed node, or for what kept dbt from running.
    others
        The last lines that were no log events.
    """

    total: int = 0
    states: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    others: deque[str] = field(default_factory=lambda: deque(maxlen=5))

    def read(self, line: str) -> str | None:
        """Take in one line.

        Parameters
        ----------
        line
            As dbt writes it with `--log-format json`.

        Returns
        -------
        str or None
            The name of the node that it reports as finished, if it does.
        """
        try:
            event = json.loads(line)
            name, data = event["info"]["name"], event["data"]
        except (ValueError, KeyError, TypeError):
            if line.strip():
                self.others.append(line.strip())
            return None
        if name == "ConcurrencyLine":
            self.total = int(data.get("node_count", 0))
        if name in {"RunResultError", "MainEncounteredError"}:
            self.failures.append(_failure(event))
        return self._finished(data)

    def _finished(self, data: dict[str, Any]) -> str | None:
        node = data.get("node_info") or {}
        key = (str(node.get("resource_type")), str(node.get("node_name")))
        state = str(node.get("node_status"))
        if "index" not in data or state not in FINAL_STATES or key in self.states:
            return None
        self.states[key] = state
        return key[1]

    def count(self, *kinds: str) -> int:
        """Return how many nodes of some kinds have succeeded."""
        counted = Counter(kind for (kind, _), state in self.states.items() if state in GOOD_STATES)
        return sum(counted[kind] for kind in kinds)


def _failure(event: dict[str, Any]) -> str:
    """Return one line of an error event: the node's name and the first telling line."""
    said = without_data(str(event["info"]["msg"]))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not ERROR_HEADING.fullmatch(line)] or lines
    node = (event["data"].get("node_info") or {}).get("node_name")
    return f"{node}: {telling[0]}" if node else telling[0]


class DbtBuild:
    """A running `dbt build`.

    Parameters
    ----------
    settings
        Which lake and warehouse; handed on in the environment, as absolute paths.
    variables
        Text of `--vars`, handed on as it is; empty for none.
    full_refresh
        Build incremental models anew.
    on_progress
        Called from another thread whenever a node has finished.
    """

    def __init__(
        self,
        settings: Settings,
        variables: str,
        on_progress: OnProgress,
        *,
        full_refresh: bool = False,
    ) -> None:
        self.log = DbtLog()
        self._on_progress = on_progress
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command(variables, full_refresh=full_refresh),
            cwd=PROJECT_ROOT,
            env=environment(settings),
            # Nothing is written to it; that it closes tells dbt that we are gone.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        lines: Iterable[str] = self._process.stdout or ()
        for line in lines:
            finished = self.log.read(line)
            if finished is not None:
                self._on_progress(len(self.log.states), self.log.total, finished)

    def wait(self) -> DbtLog:
        """Wait for the end.

        Returns
        -------
        DbtLog
            Of a run in which all went well.

        Raises
        ------
        CxError
            If dbt or one of its nodes failed; names the nodes.
        """
        code = self._process.wait()
        self._close()
        if code != 0:
            raise CxError(failure_message(self.log, code))
        return self.log

    def stop(self) -> None:
        """End it, if it still runs; an interrupted build is finished by the next."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def command(variables: str, *, full_refresh: bool) -> list[str]:
    """Return the command line of dbt.

    Parameters
    ----------
    variables
        Text of `--vars`; empty for none.
    full_refresh
        Build incremental models anew.

    Returns
    -------
    list of str
        Without unit tests: they test code on rows of their own, not this data.
    """
    line = [sys.executable, "-m", "cx_warehouse.dbt_process"]
    line += ["--log-format", "json", "--log-level-file", "info", "--no-use-colors"]
    line += ["build", "--exclude-resource-type", "unit_test"]
    if full_refresh:
        line.append("--full-refresh")
    if variables:
        line += ["--vars", variables]
    return line


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of dbt, which runs in another folder than we may: absolute paths.

    Parameters
    ----------
    settings
        Which lake and warehouse.

    Returns
    -------
    dict of str to str
        This process's environment with the `CX_*` variables set, and without those that tell dbt of
        another project, profile or target, or to leave work out.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    return {
        **kept,
        "CX_RAW_PATH": str(settings.raw_path),
        "CX_RAW_FORMAT": settings.raw_format,
        "CX_WAREHOUSE_DIR": str(settings.warehouse_dir),
        "CX_PII_KEY": settings.pii_key,
        "PYTHONUTF8": "1",
    }


def failure_message(log: DbtLog, code: int) -> str:
    """Say in a few lines why dbt failed.

    Parameters
    ----------
    log
        What it has logged.
    code
        Its exit code.

    Returns
    -------
    str
        The first failed nodes with their errors, and how many more there are.
    """
    lines = log.failures or list(log.others)[-1:] or [f"exit code {code}"]
    shown = lines[:FAILURES_SHOWN]
    if len(lines) > FAILURES_SHOWN:
        shown.append(f"... and {len(lines) - FAILURES_SHOWN} more")
    skipped = sum(state == "skipped" for state in log.states.values())
    if skipped:
        shown.append(f"{skipped} node{'' if skipped == 1 else 's'} skipped in consequence")
    return "dbt build failed: " + "\n  ".join(shown)


def end_with_parent() -> None:
    """End this process at once when the one that started it ends, however it was killed.

    Otherwise dbt would go on without anybody reading its log, and keep the build file from the next
    build. DuckDB takes a sudden end well.
    """

    def watch() -> None:
        # Not sys.stdin, whose lock would be held when the interpreter shuts down.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run dbt with the arguments of the command line, as the child of a `DbtBuild`."""
    end_with_parent()

    from dbt.cli.main import cli  # noqa: PLC0415 - slow, and no business of the parent

    cli()


if __name__ == "__main__":
    main()
