"""Runs dbt commands, each in a fork of a process that has loaded dbt and parsed the project.

The tests run dbt far more than a hundred times on small lakes, and loading it and its parse took a
third of the time. A command comes as one line of JSON on standard input, its exit status goes back
as one line, what it prints goes to a file. Forks share nothing with each other.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

# models and plugin need these: imported here, no fork has to
import pandas as pd  # noqa: F401
import pyarrow as pa  # noqa: F401
import scipy.optimize  # noqa: F401
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.exceptions import DbtUsageException
from dbt.cli.main import dbtRunner

PROJECT: Final = Path(__file__).resolve().parents[2]
VAR: Final = re.compile(r"var\('(\w+)'")


@cache
def parsed_vars() -> set[str]:
    """Return the vars that YAML files read, which are part of what was parsed."""
    return set(VAR.findall(" ".join(file.read_text() for file in PROJECT.glob("models/**/*.yml"))))


def options(request: dict[str, Any]) -> list[str]:
    """Return what all commands are told: where to write, and to leave out what no test reads."""
    told = ["--target-path", request["cache"], "--vars", request["variables"]]
    return [*told, "--no-use-colors", "--no-write-json", "--log-level-file", "none"]


class Parsed:
    """Manifests by the project and the vars that make a difference to them."""

    def __init__(self) -> None:
        self.manifests: dict[tuple[str, str], tuple[list[int], Any]] = {}

    def manifest(self, request: dict[str, Any]) -> Any:
        """Return a manifest of the project as it is now, from memory where it can be."""
        project, variables = request["project"], json.loads(request["variables"])
        read = {name: value for name, value in variables.items() if name in parsed_vars()}
        key = project, json.dumps(read)
        # of a copied project, tests change the seeds between two commands
        stamp = [file.stat().st_mtime_ns for file in sorted(Path(project, "seeds").glob("*"))]
        if self.manifests.get(key, (None, None))[0] != stamp:
            self.manifests[key] = stamp, parse(request)
        return self.manifests[key][1]


def parse(request: dict[str, Any]) -> Any:
    """Return the parsed project; None where a wrong setting forbids it, for the command to say."""
    os.chdir(request["project"])
    # the static parser keeps threads, which forks that parse would wait for without having them
    command = ["parse", "--quiet", "--no-static-parser", *options(request)]
    # what is parsed is kept: the collector would search it in vain, here and in every fork
    gc.disable()
    parsed = dbtRunner().invoke(command)
    gc.freeze()
    gc.enable()
    return parsed.result if parsed.success else None


def execute(request: dict[str, Any], manifest: Any) -> int:
    """Run the command of a request in this process; returns its exit status."""
    os.chdir(request["project"])
    printed = os.open(request["printed"], os.O_WRONLY | os.O_CREAT)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    command = [request["command"], *options(request), *request["arguments"]]
    outcome = dbtRunner(manifest=manifest).invoke(command)
    # or what was built last stays in a log beside the file, which a copy leaves behind
    DuckDBConnectionManager.close_all_connections()
    if isinstance(outcome.exception, DbtUsageException):
        print(outcome.exception)
    return 0 if outcome.success else 1


def fork(request: dict[str, Any], manifest: Any) -> int:
    """Run the command of a request in a fork; returns its exit status."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    status = 2
    try:
        status = execute(request, manifest)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    parsed = Parsed()
    for line in sys.stdin:
        request = json.loads(line)
        os.environ.clear()
        os.environ.update(request["environment"])
        print(fork(request, parsed.manifest(request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
