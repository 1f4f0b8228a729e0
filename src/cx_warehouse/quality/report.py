"""One page on what the gates checked: a file of its own, without scripts or anything to load."""

from __future__ import annotations

import os
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cx_warehouse.settings import CxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cx_warehouse.quality.results import Check, GateResult

STYLE: Final = """
:root {
  color-scheme: light dark;
  --text: #1c1e21; --quiet: #5c6370; --page: #fff; --panel: #f4f5f7; --line: #d5d8dd;
  --stop: #b3261e; --warn: #8a5a00; --good: #1a6b3a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e8eb; --quiet: #a2a9b4; --page: #15171a; --panel: #1f2226; --line: #3a3f46;
    --stop: #ff8a80; --warn: #f2c063; --good: #7fd6a0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem; }
p { margin: .25rem 0 1rem; }
.quiet { color: var(--quiet); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
ul.found { list-style: none; margin: 0 0 1.5rem; padding: 0; }
ul.found li {
  background: var(--panel); border-left: .3rem solid var(--warn); border-radius: .25rem;
  margin: .5rem 0; padding: .6rem .9rem; overflow-wrap: anywhere;
}
ul.found li.critical { border-color: var(--stop); }
.verdict { font-weight: 650; white-space: nowrap; }
.critical .verdict, .verdict.critical { color: var(--stop); }
.warning .verdict, .info .verdict, .verdict.warning, .verdict.info { color: var(--warn); }
.verdict.holds { color: var(--good); }
details { border-top: 1px solid var(--line); }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { cursor: pointer; padding: .5rem .25rem; }
summary:focus-visible { outline: 2px solid currentColor; }
summary .verdict { margin-left: .5rem; }
.scroll { overflow-x: auto; }
table {
  border-collapse: collapse; width: 100%; min-width: 48rem; margin: 0 0 1rem; font-size: .92rem;
}
th, td {
  text-align: left; vertical-align: top; padding: .35rem .75rem .35rem .25rem;
  border-top: 1px solid var(--line);
}
th { color: var(--quiet); font-weight: 600; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""
TITLES: Final = {"raw": "Raw lake", "marts": "Marts"}
NUMBERS: Final = frozenset({"Observed", "Broken by"})
NUMBER: Final = ' class="number"'
VERDICTS: Final = {"critical": "Stops", "warning": "Warning", "info": "Note"}


def render(results: Sequence[GateResult]) -> str:
    """Return the page.

    Parameters
    ----------
    results
        The latest result of each gate that has run.

    Returns
    -------
    str
        HTML with its style inside; all text from the data is escaped.
    """
    broken = sorted(
        (check for result in results for check in result.checks if not check.success),
        key=lambda check: not check.stops,
    )
    found = "".join(_finding(check) for check in broken)
    listed = f'<ul class="found">\n{found}</ul>\n' if broken else ""
    gates = "".join(_gate(result) for result in results)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Data checks: {_headline(results)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>Data checks</h1>\n<p>{_headline(results)}. A rule that stops keeps a"
        " build from being published; what is published stays as it was.</p>\n"
        f"{listed}{gates}</main>\n</body>\n</html>\n"
    )


def write_report(folder: Path, results: Sequence[GateResult]) -> Path:
    """Write the page as `index.html`; a reader sees the old page or the new one.

    Parameters
    ----------
    folder
        `$CX_WAREHOUSE_DIR/validation`.
    results
        The latest result of each gate that has run.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    CxError
        If it cannot be written.
    """
    path = folder / "index.html"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(render(results), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        message = f"cannot write {path} ({error.strerror or error})"
        raise CxError(message) from error
    return path


def _headline(results: Sequence[GateResult]) -> str:
    stops = sum(len(result.stops) for result in results)
    warnings = sum(len(result.warnings) for result in results)
    rules = sum(len(result.checks) for result in results)
    if stops:
        return f"{_plural(stops, 'rule')} of {rules} stop{'s' if stops == 1 else ''} the build"
    if warnings:
        return f"{rules} rules checked, nothing stops, {_plural(warnings, 'warning')}"
    return f"{rules} rules checked, all hold"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _gate(result: GateResult) -> str:
    failed = len(result.stops) + len(result.warnings)
    verdict = _plural(failed, "broken rule") if failed else "all rules hold"
    suites = "".join(
        _suite(name, list(checks))
        for name, checks in groupby(
            sorted(result.checks, key=lambda check: check.suite), key=lambda check: check.suite
        )
    )
    title = escape(TITLES.get(result.gate, result.gate))
    return (
        f"<section>\n<h2>{title}: {verdict}</h2>\n"
        f'<p class="quiet">{_plural(len(result.checks), "rule")}, run '
        f"<code>{escape(result.run_id)}</code></p>\n"
        f"{suites}</section>\n"
    )


def _finding(check: Check) -> str:
    word = VERDICTS[check.severity]
    return (
        f'<li class="{escape(check.severity)}"><span class="verdict">{word}</span>'
        f" {escape(check.message)}</li>\n"
    )


def _suite(name: str, checks: Sequence[Check]) -> str:
    failed = [check for check in checks if not check.success]
    worst = "critical" if any(check.stops for check in failed) else "warning"
    verdict = (
        f'<span class="verdict {worst}">{len(failed)} of {_plural(len(checks), "rule")} broken'
        "</span>"
        if failed
        else f'<span class="verdict holds">{_plural(len(checks), "rule")}, all hold</span>'
    )
    opened = " open" if failed else ""
    return (
        f"<details{opened}>\n<summary><code>{escape(name)}</code> {verdict}</summary>\n"
        f"{_table(checks)}</details>\n"
    )


def _table(checks: Iterable[Check]) -> str:
    heads = ("Rule", "Columns", "Result", "Observed", "Broken by", "For instance")
    head = "".join(
        f'<th scope="col"{NUMBER if text in NUMBERS else ""}>{text}</th>' for text in heads
    )
    rows = "".join(_row(check) for check in checks)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n'
        "</table></div>\n"
    )


def _row(check: Check) -> str:
    verdict = "Holds" if check.success else VERDICTS[check.severity]
    kind = "holds" if check.success else check.severity
    count = "" if check.unexpected_count is None else f"{check.unexpected_count:,}"
    keys = ", ".join(f"<code>{escape(key)}</code>" for key in check.sample_keys)
    return (
        f"<tr><td><code>{escape(check.expectation)}</code></td>"
        f"<td>{escape(check.column_name)}</td>"
        f'<td><span class="verdict {escape(kind)}">{verdict}</span></td>'
        f"<td{NUMBER}>{escape(check.observed)}</td>"
        f"<td{NUMBER}>{count}</td><td>{keys}</td></tr>\n"
    )
