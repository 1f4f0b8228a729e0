from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml
from jinja2 import Environment

from cx_warehouse import cli, dbt_process
from cx_warehouse.dbt_plugin import NEW_OBJECTS, Plugin
from cx_warehouse.dbt_process import DbtLog, command, environment, failure_message
from cx_warehouse.publish import publish
from cx_warehouse.settings import (
    DEMO_KEY_WARNING,
    DEMO_PII_KEY,
    DEMO_RAW_PATH,
    PROJECT_ROOT,
    CxError,
    Settings,
)
from small_build import small_settings, write_build, write_orders

if TYPE_CHECKING:
    from pathlib import Path


def event(name: str, message: str = "", **data: object) -> str:
    return json.dumps({"info": {"name": name, "msg": message}, "data": data})


def finished(name: str, kind: str, state: str) -> str:
    node = {"node_name": name, "resource_type": kind, "node_status": state}
    return event("NodeResult", index=1, node_info=node)


MODEL_ERROR = (
    "  Runtime Error in model bad (models/bad.sql)\n"
    '  Binder Error: Referenced column "nope" not found in FROM clause!\n  Candidate bindings: "id"'
)
GOOD_LINES = [
    event("ConcurrencyLine", node_count=3),
    event("LogStartLine", index=1, node_info={"node_name": "a", "node_status": "started"}),
    finished("a", "model", "success"),
    finished("unique_a_id", "test", "pass"),
    finished("b", "seed", "success"),
]
FAILED_LINES = [
    finished("bad", "model", "error"),
    finished("after", "model", "skipped"),
    event("RunResultError", MODEL_ERROR, node_info={"node_name": "bad"}),
]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = small_settings(tmp_path)
    write_orders(made.raw_path)
    monkeypatch.setenv("CX_RAW_PATH", str(made.raw_path))
    monkeypatch.setenv("CX_RAW_FORMAT", "parquet")
    monkeypatch.setenv("CX_WAREHOUSE_DIR", str(made.warehouse_dir))
    monkeypatch.setenv("CX_PII_KEY", made.pii_key)
    return made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cx", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def stand_in_for_dbt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: list[str], code: int, change: str = ""
) -> None:
    """Let a small process take dbt's place: it writes the build file and dbt's log lines."""
    built = tmp_path / "built.duckdb"
    write_build(built, "build-2" if change else "build-1", change)
    script = tmp_path / "dbt.py"
    script.write_text(
        "import os, shutil, sys\n"
        f"shutil.copy({str(built)!r}, os.environ['CX_WAREHOUSE_DIR'] + '/build.duckdb')\n"
        f"print({chr(10).join(lines)!r})\nsys.exit({code})\n"
    )
    monkeypatch.setattr(dbt_process, "command", lambda *_, **__: [sys.executable, str(script)])


def test_build_runs_the_whole_chain_and_ends_with_one_summary(
    settings, monkeypatch, tmp_path, capsys
):
    stand_in_for_dbt(monkeypatch, tmp_path, GOOD_LINES, 0)
    assert run(monkeypatch, "build") == 0
    output = capsys.readouterr().out
    lines = {line[:13].strip(): line[13:] for line in output.splitlines()}
    assert lines["Read"] == "150 rows: storefront.orders 100, web.events 50"
    assert lines["Quarantined"] == "3 rows: storefront.orders total_mismatch 3"
    assert lines["Duplicates"] == "3 rows"
    touched = "what 0 new files touched; 0 rows of fct_person_months restated"
    assert lines["Built"] == f"1 models, 1 seeds; {touched}"
    assert lines["Tested"].startswith("1 dbt tests, ")
    assert lines["Published"].startswith(f"{settings.serve_path} -> serve-")
    assert "from marts.fct_orders" in lines["Look next"]
    assert str(settings.validation_dir / "index.html") in output
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        gates = connection.execute(
            "select count(distinct run_id) from quality.dq_validation_results where success"
        ).fetchall()
    assert gates == [(2,)]


@pytest.mark.parametrize(
    ("lines", "code", "change", "message"),
    [
        ([*GOOD_LINES, *FAILED_LINES], 1, "", "dbt build failed: bad: Binder Error: Referenced"),
        (
            GOOD_LINES,
            0,
            "delete from marts.dim_persons",
            "cx: the marts gate stops: marts.fct_",
        ),
    ],
    ids=["dbt fails", "marts gate stops"],
)
def test_a_failed_build_leaves_what_is_published(  # noqa: PLR0913, PLR0917 - a table of cases
    settings, monkeypatch, tmp_path, capsys, lines, code, change, message
):
    stand_in_for_dbt(monkeypatch, tmp_path, GOOD_LINES, 0)
    assert run(monkeypatch, "build") == 0
    before = settings.serve_path.resolve()
    capsys.readouterr()
    stand_in_for_dbt(monkeypatch, tmp_path, lines, code, change)
    assert run(monkeypatch, "build") == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert settings.serve_path.resolve() == before


@pytest.mark.parametrize("orders", ["empty", "unreadable"])
def test_dbt_does_not_start_on_a_lake_that_would_poison_the_warehouse(
    settings, monkeypatch, capsys, orders
):
    path = write_orders(settings.raw_path, "select 1 as order_id where false")
    if orders == "unreadable":
        path.write_bytes(b"no parquet")
    else:
        write_orders(
            settings.raw_path,
            "select 'o' as order_id, now() :: timestamp as ordered_at, 'EUR' as currency,"
            " 1 as item_total, 1 as order_total where false",
        )
    monkeypatch.setattr(dbt_process.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    assert run(monkeypatch, "build") == 1
    assert "orders" in capsys.readouterr().err


def test_a_build_that_is_published_succeeds_though_the_next_run_holds_its_file(
    settings, monkeypatch, tmp_path, capsys
):
    stand_in_for_dbt(monkeypatch, tmp_path, GOOD_LINES, 0)
    hold = (
        "import duckdb, sys\n"
        f"held = duckdb.connect({str(settings.build_path)!r})\n"
        "print('up', flush=True)\nsys.stdin.read()"
    )
    with ExitStack() as stack:

        def publish_and_lose(settings):
            publication = publish(settings)
            holder = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            holder.stdout.readline()
            return publication

        monkeypatch.setattr("cx_warehouse.build.publish", publish_and_lose)
        assert run(monkeypatch, "build") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Built        1 models, 1 seeds" in lines
    assert any(line.startswith("Published ") for line in lines)


def test_nothing_is_published_anew_when_orders_could_not_be_read_at_first(
    settings, monkeypatch, tmp_path, capsys
):
    stand_in_for_dbt(monkeypatch, tmp_path, GOOD_LINES, 0)
    assert run(monkeypatch, "build") == 0
    before = settings.serve_path.resolve()
    # as while a file is being overwritten; the gate's look comes later
    monkeypatch.setattr("cx_warehouse.build.has_orders", lambda _: False)
    assert run(monkeypatch, "build") == 1
    assert capsys.readouterr().err == (
        "cx: storefront.orders could not be read when the build began, and nothing was built;"
        " run it again\n"
    )
    assert settings.serve_path.resolve() == before


def test_check_tells_what_it_found_and_fails_by_its_exit_code(settings, monkeypatch, capsys):
    write_build(settings.build_path)
    assert run(monkeypatch, "check", "raw") == 0
    assert run(monkeypatch, "check", "marts") == 0
    output = capsys.readouterr().out
    assert "the raw gate passes: " in output
    assert f"page: {settings.validation_dir / 'index.html'}" in output
    assert run(monkeypatch, "check", "marts", "--vars", "{quarantine_share_max: 0.01}") == 1
    assert capsys.readouterr().err.startswith("cx: the marts gate stops: storefront.orders: 3 of")
    assert run(monkeypatch, "publish") == 1
    assert capsys.readouterr().err.startswith("cx: not published: storefront.orders: 3 of")


def test_publish_says_which_file_readers_now_see(settings, monkeypatch, capsys):
    write_build(settings.build_path)
    for command_line in (["check", "raw"], ["check", "marts"], ["publish"]):
        assert run(monkeypatch, *command_line) == 0
    captured = capsys.readouterr()
    assert f"-> {settings.serve_path.readlink().name}" in captured.out
    # the lake of this test is not the one of its hand-written build
    assert "the raw gate has checked other files than were built" in captured.err


@pytest.mark.parametrize("command_line", [["check", "marts"], ["publish"], ["pictures"]])
def test_what_does_not_read_the_lake_does_not_need_it(settings, monkeypatch, capsys, command_line):
    monkeypatch.setenv("CX_RAW_PATH", str(settings.raw_path / "not mounted"))
    write_build(settings.build_path)
    run(monkeypatch, *command_line)
    assert "CX_RAW_PATH" not in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    out = str(tmp_path / "file" / "shop")
    assert run(monkeypatch, *f"simulate --customers 5 --days 40 --seed 1 --out {out}".split()) == 1
    assert capsys.readouterr().err == f"cx: {out}/truth: Not a directory\n"


@pytest.mark.parametrize("text", ["{a: [", "[1, 2]", "word"])
def test_vars_that_are_no_mapping_are_one_clear_line(settings, monkeypatch, capsys, text):
    assert settings.raw_path.is_dir()
    assert run(monkeypatch, "build", "--vars", text) == 1
    error = capsys.readouterr().err
    assert error.startswith("cx: --vars: ")
    assert len(error.splitlines()) == 1


def test_vars_are_read_as_dbt_reads_them():
    assert cli.parse_variables("{as_of: 2024-01-31, x: 0.5}")["x"] == 0.5
    assert cli.parse_variables("") == {}


def test_a_short_key_and_the_demo_key_on_another_lake_are_warned_of(settings, monkeypatch, capsys):
    cli.read_settings()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("CX_PII_KEY", "short")
    cli.read_settings()
    assert "less than 8 characters" in capsys.readouterr().err
    monkeypatch.delenv("CX_PII_KEY")
    cli.read_settings()
    assert "demo key" in capsys.readouterr().err
    cli.read_settings(reads_lake=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("cx_warehouse.settings.DEMO_RAW_PATH", settings.raw_path)
    cli.read_settings()
    assert capsys.readouterr().err == ""


def test_dbt_by_itself_warns_of_the_demo_key_too_but_not_twice(settings, monkeypatch, capsys):
    assert not settings.key_warning
    Plugin("", {})
    monkeypatch.setenv("CX_PII_KEY", DEMO_PII_KEY)
    Plugin("", {})
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("CX_PII_KEY")
    Plugin("", {})
    assert capsys.readouterr().err == f"{DEMO_KEY_WARNING}\n"
    monkeypatch.setenv("CX_RAW_PATH", str(DEMO_RAW_PATH))
    Plugin("", {})
    assert capsys.readouterr().err == ""


def test_help_waits_for_nothing_slow():
    code = (
        "import sys; from cx_warehouse import cli\n"
        "slow = {'great_expectations', 'duckdb', 'dbt', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "assert not slow, slow\n"
        "sys.argv = ['cx', '--help']; cli.main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(word in shown.stdout for word in ("build", "check", "publish"))


def test_the_log_counts_nodes_once_and_keeps_failures_short():
    log = DbtLog()
    nodes = [log.read(line) for line in [*GOOD_LINES, GOOD_LINES[2], *FAILED_LINES]]
    assert [node for node in nodes if node] == ["a", "unique_a_id", "b", "bad", "after"]
    assert log.total == 3
    assert (log.count("model"), log.count("test"), log.count("seed")) == (1, 1, 1)
    assert failure_message(log, 1).splitlines() == [
        'dbt build failed: bad: Binder Error: Referenced column "nope" not found in FROM clause!',
        "  1 node skipped in consequence",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [event("MainEncounteredError", "Encountered an error:\nCompilation Error\n  Model x")],
            "dbt build failed: Model x",
        ),
        (
            [event("MainEncounteredError", "Encountered an error:\nIO Error: Could not set lock")],
            "dbt build failed: IO Error: Could not set lock",
        ),
        (["No module named dbt"], "dbt build failed: No module named dbt"),
        ([], "dbt build failed: exit code 3"),
    ],
)
def test_what_keeps_dbt_from_running_is_told(lines, expected):
    log = DbtLog()
    for line in lines:
        log.read(line)
    assert failure_message(log, 3) == expected


def test_dbt_gets_absolute_paths_the_vars_as_given_and_no_unit_tests(settings):
    line = command("{as_of: 2024-01-31}", full_refresh=True)
    assert line[0] == sys.executable
    assert line[line.index("--vars") + 1] == "{as_of: 2024-01-31}"
    assert line[line.index("--exclude-resource-type") + 1] == "unit_test"
    assert environment(settings)["CX_WAREHOUSE_DIR"] == str(settings.warehouse_dir)
    assert "--full-refresh" not in command("", full_refresh=False)


def test_dbt_is_not_led_to_another_project_by_the_shell(settings, monkeypatch):
    monkeypatch.setenv("DBT_PROJECT_DIR", "/elsewhere")
    monkeypatch.setenv("DBT_EMPTY", "1")
    monkeypatch.setenv("OTHER", "kept")
    found = environment(settings)
    assert not [name for name in found if name.startswith("DBT_")]
    assert found["OTHER"] == "kept"


def test_vars_that_are_no_yaml_are_told():
    with pytest.raises(CxError):
        cli.parse_variables("[")


@pytest.mark.parametrize("folder", [None, "", "elsewhere"], ids=["unset", "empty", "set"])
def test_dbt_by_itself_writes_the_build_file_that_cx_reads(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    for name in ("CX_RAW_PATH", "CX_RAW_FORMAT", "CX_PII_KEY", "CX_WAREHOUSE_DIR"):
        monkeypatch.delenv(name, raising=False)
    if folder is not None:
        monkeypatch.setenv("CX_WAREHOUSE_DIR", folder)
    profile = yaml.safe_load((PROJECT_ROOT / "profiles.yml").read_text())["cx_warehouse"]
    path = Environment(autoescape=False).from_string(profile["outputs"]["dev"]["path"])  # noqa: S701 - no HTML
    assert (
        tmp_path / path.render(env_var=os.environ.get)
    ) == Settings.from_environment().build_path


def test_dbt_ends_with_the_process_that_started_it():
    code = (
        "import time; from cx_warehouse.dbt_process import end_with_parent\n"
        "end_with_parent(); print('up', flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(timeout=10) == 1


def test_what_dbt_holds_when_it_connects_is_not_searched_for_garbage(settings):
    assert not settings.key_warning
    before = gc.get_threshold()
    gc.unfreeze()
    try:
        Plugin("", {})
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == NEW_OBJECTS
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize(("limit", "kept"), [("100MB", "38.1 MiB"), ("100TB", "0 bytes")])
def test_duckdb_keeps_blocks_where_the_machine_has_the_memory(settings, limit: str, kept: str):
    plugin = Plugin("", {})
    with duckdb.connect(settings.build_path, config={"memory_limit": limit}) as con:
        plugin.configure_connection(con)
        found = con.execute("select current_setting('block_allocator_memory')").fetchall()
        assert found == [(kept,)]
        assert con.execute("select count(*) from raw_storefront.orders").fetchall() != [(0,)]
