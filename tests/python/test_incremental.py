"""A run builds what is new; where that would be wrong it stops or builds all, and says so."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from conftest import (
    DBT,
    PROJECT,
    BuildLake,
    SimulatedShop,
    Warehouse,
    add_to_seed,
    copy_project,
    order,
    write_lake,
    write_table,
)
from cx_warehouse.run_state import CODE, code_hash, create_run_state, touched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Whole tables that a touched model reads: compared by its hooks.
TOLD_OTHERWISE = {"int_identity_components"}
SETTINGS = re.compile(r"var\('(\w+)'\)")
IMPORTS = re.compile(r"^from cx_warehouse[.]([\w.]+) import", re.MULTILINE)


@pytest.fixture
def rebuild(tmp_path: Path, build_lake: BuildLake) -> Callable[..., Warehouse]:
    """Run dbt on a lake, again and again into one warehouse."""
    folder = tmp_path / "warehouse"

    def run(
        lake: Path, command: str = "run", *flags: str, project: Path = PROJECT, **settings: Any
    ) -> Warehouse:
        if not folder.exists():
            folder.mkdir()
            build_lake(lake, command="seed", folder=folder, project=project)
        return build_lake(
            lake,
            vars=settings,
            command=command,
            folder=folder,
            flags=flags,
            project=project,
            check=False,
        )

    return run


def last_run(warehouse: Warehouse) -> tuple[Any, ...]:
    return warehouse.query(
        "select is_full_refresh, reasons, finished_at is not null from ops.runs"
        " order by run_number desc limit 1"
    )[0]


def rewritten(warehouse: Warehouse) -> dict[str, tuple[int, int]]:
    rows = warehouse.query(
        "select model_name, inserted_rows + deleted_rows, total_rows from ops.rewrites"
        " where run_number = (select max(run_number) from ops.runs)"
    )
    return {name: (changed, total) for name, changed, total in rows}


def event(event_id: str, at: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "anonymous_id": "d1",
        "occurred_at": at,
        "event_name": "page_view",
        "page_url": "https://shop.example/",
    } | more


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    tables = {
        "storefront/orders": [order("o1", customer_id="c1")],
        "web/events": [event("e1", "2024-03-01 11:50:00", customer_id="c1")],
    }
    return write_lake(tmp_path / "lake", tables)


def test_a_changed_a_vanished_file_and_an_earlier_as_of_rebuild_everything_and_say_so(
    lake: Path, rebuild: Callable[..., Warehouse]
) -> None:
    added = write_table(lake, "web/events", [event("e2", "2024-03-01 11:55:00")])
    first = rebuild(lake)
    assert first.succeeded, first.output[-3000:]
    assert last_run(first) == (True, "this is the first build of the warehouse", True)

    shown = rebuild(lake, "show", "--select", "stg_web__events", "--output", "json")
    assert '"event_id": "e1"' in shown.output

    # what no touched model reads may be left out, but then not all marts tell of the same rows
    is_whole = "select is_whole from ops.runs order by run_number desc limit 1"
    assert first.query(is_whole) == [(True,)]
    again = rebuild(lake, "run", "--exclude", "agg_nps")
    assert last_run(again) == (False, "", True)
    assert again.query(is_whole) == [(False,)]
    assert {changed for changed, _ in rewritten(again).values()} == {0}

    # a table that touched models read was left out
    partly = rebuild(lake, "run", "--exclude", "int_identity_components")
    assert partly.succeeded
    assert last_run(partly) == (False, "", False)

    os.utime(added, (1, 1))
    changed = rebuild(lake)
    assert last_run(changed) == (True, "file web/events/part-1.parquet changed", True)
    assert "rebuilt whole: file web/events/part-1.parquet changed" in changed.output

    added.unlink()
    earlier = rebuild(lake, as_of="2024-03-01 11:59:00")
    gone = "file web/events/part-1.parquet is no longer in the lake"
    assert last_run(earlier) == (True, f"{gone}; as_of moved back", True)
    assert earlier.query("select event_id from staging.stg_web__events") == [("e1",)]
    assert earlier.query("select count(*) from marts.fct_orders") == [(0,)]
    # and on again, without a var: what lay after it has happened by now; to name the currency
    # that was taken anyway changes nothing
    later = rebuild(lake, base_currency="EUR")
    assert last_run(later) == (False, "", True)
    assert later.query("select count(*) from marts.fct_orders") == [(1,)]

    asked = rebuild(lake, "run", "--full-refresh")
    assert last_run(asked) == (True, "it was asked for", True)


def test_rules_that_differ_stop_the_run_and_are_named(
    lake: Path,
    rebuild: Callable[..., Warehouse],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "project").mkdir()
    project = copy_project(tmp_path / "project")
    assert rebuild(lake, project=project).succeeded

    stopped = rebuild(lake, session_timeout_minutes=20, project=project)
    assert not stopped.succeeded
    assert "var session_timeout_minutes was 30 when the tables were built, and is 20 now" in (
        stopped.output
    )
    assert "dbt build --full-refresh" in stopped.output
    assert len(stopped.query("from ops.runs")) == 1

    # a setting of what is built whole anyway is free to change; a day needs no quotes
    free = "{repeat_contact_days: 3, earliest_plausible_at: 1990-01-01}"
    assert rebuild(lake, "run", "--vars", free, project=project).succeeded

    add_to_seed(project, "intent_rules", "99,page_view,,,research")
    stopped = rebuild(lake, "build", project=project)
    assert not stopped.succeeded
    assert "seed intent_rules is another than the one" in stopped.output
    # data, not a rule
    shutil.copy(PROJECT / "seeds" / "intent_rules.csv", project / "seeds")
    add_to_seed(project, "identity_exclusions", "customer_id,c1,,")
    assert rebuild(lake, "seed", "--select", "identity_exclusions", project=project).succeeded
    assert rebuild(lake, project=project).succeeded
    owners = "select count(*) from intermediate.int_device_owners"
    assert rebuild(lake, project=project).query(owners) == [(0,)]

    monkeypatch.setenv("CX_PII_KEY", "another secret")
    stopped = rebuild(lake, project=project)
    assert not stopped.succeeded
    assert "CX_PII_KEY is another than the one" in stopped.output
    assert "another secret" not in json.dumps(stopped.query("from ops.runs"), default=str)

    # nor is a lost key taken for a new one because something else rebuilds everything
    os.utime(next((lake / "web" / "events").iterdir()), (1, 1))
    stopped = rebuild(lake, project=project)
    assert not stopped.succeeded
    assert "CX_PII_KEY is another than the one" in stopped.output
    asked = rebuild(lake, "run", "--full-refresh", project=project)
    assert last_run(asked) == (True, "it was asked for", True)


def test_one_late_event_rewrites_less_than_a_hundredth_of_the_sessions(
    simulated: SimulatedShop, rebuild: Callable[..., Warehouse], tmp_path: Path
) -> None:
    lake = shutil.copytree(simulated.lake, tmp_path / "lake")
    assert rebuild(lake).succeeded
    [(device, customer)] = simulated.warehouse.query(
        "select anonymous_id, min(customer_id) from staging.stg_web__events"
        " where row_bucket = 'staged' and customer_id is not null group by all"
        " order by count(*) desc, 1 limit 1"
    )
    late = event("late", "2024-02-01 10:00:00", anonymous_id=device, customer_id=customer)
    write_table(lake, "web/events", [late])
    built = rebuild(lake)
    assert last_run(built) == (False, "", True)
    sessions, total = rewritten(built)["fct_sessions"]
    assert 1 <= sessions <= total / 100
    assert built.query(
        "select count(*) from marts.fct_sessions where started_at = '2024-02-01 10:00'"
    )


def test_a_corrected_event_enters_a_funnel_and_leaves_it_while_its_session_stays(
    lake: Path, rebuild: Callable[..., Warehouse], tmp_path: Path
) -> None:
    project = copy_project(tmp_path)
    add_to_seed(project, "funnel_steps", "cart_page,1,seen,page_view,page_type = cart,")

    def entries(page_type: str, received_at: str) -> int:
        corrected = event(
            "e1",
            "2024-03-01 11:50:00",
            page_type=page_type,
            received_at=received_at,
            customer_id="c1",
        )
        write_table(lake, "web/events", [corrected])
        built = rebuild(lake, project=project)
        assert last_run(built) == (False, "", True), built.output[-3000:]
        query = "select count(*) from marts.fct_funnel_entries where funnel_name = 'cart_page'"
        return built.query(query)[0][0]

    assert rebuild(lake, project=project).succeeded
    assert entries("cart", "2024-03-02 00:00:00") == 1
    assert entries("home", "2024-03-03 00:00:00") == 0
    assert entries("cart", "2024-03-04 00:00:00") == 1


def test_late_rows_are_counted_on_the_day_they_arrive(
    tmp_path: Path, rebuild: Callable[..., Warehouse]
) -> None:
    """Three days and a second late is late; a correction is as old as its update."""
    at = "2024-03-01 12:00:00"
    events = [
        event("in time", at, _loaded_at="2024-03-04 12:00:00"),
        event("late", at, _loaded_at="2024-03-04 12:00:01"),
        event("later", at, _loaded_at="2024-03-11 12:00:00"),
        event("unknown", at, _loaded_at=None),
        event("of 1900", "1900-01-01 00:00:00", _loaded_at="2024-03-04 12:00:00"),
    ]
    corrected = {"updated_at": "2024-03-20 12:00:00", "_loaded_at": "2024-03-21 12:00:00"}
    tables = {
        "storefront/orders": [order("o1", ordered_at=at, **corrected)],
        "web/events": events,
    }
    lake = write_lake(tmp_path / "lake", tables)
    built = rebuild(lake)
    assert built.query(
        "select table_name, loaded_date::varchar, row_count, late_row_count, days_late_max"
        " from quality.dq_late_arrivals order by all"
    ) == [
        ("events", "2024-03-04", 3, 1, pytest.approx(3 + 1 / 86400)),
        ("events", "2024-03-11", 1, 1, 10.0),
        ("orders", "2024-03-21", 1, 0, 1.0),
    ]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("parsed")
    settings = {"CX_WAREHOUSE_DIR": str(folder), "CX_RAW_PATH": str(PROJECT / "data" / "demo")}
    command = [str(DBT), "--quiet", "parse", "--target-path", str(folder)]
    subprocess.run(command, cwd=PROJECT, env=os.environ | settings, check=True)
    return json.loads((folder / "manifest.json").read_text())


def incremental_nodes(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    nodes = [
        node
        for node in manifest["nodes"].values()
        if node["config"].get("materialized") == "incremental"
    ]
    assert len(nodes) > 20
    return nodes


def test_the_guard_knows_every_setting_that_a_touched_model_reads(manifest: dict[str, Any]) -> None:
    macros = manifest["macros"]

    def settings_of(sql: str, macro_ids: list[str], seen: set[str]) -> set[str]:
        found = set(SETTINGS.findall(sql))
        for macro_id in macro_ids:
            # what decides on the run itself, and settings that are data
            if macro_id in seen or not macro_id.startswith("macro.cx_warehouse."):
                continue
            seen.add(macro_id)
            macro = macros[macro_id]
            if not macro["original_file_path"].startswith("macros/incremental"):
                found |= settings_of(macro["macro_sql"], macro["depends_on"]["macros"], seen)
        return found

    read = set()
    for node in incremental_nodes(manifest):
        if node["config"]["meta"].get("touched_by"):
            macro_ids = node["depends_on"]["macros"]
            hooks = " ".join(hook["sql"] for hook in node["config"]["pre-hook"])
            read |= settings_of(node["raw_code"] + hooks, macro_ids, set())
    # a model in Python that reads what is touched has its settings from its properties
    for node in manifest["nodes"].values():
        if node.get("language") == "python" and "touched(" in node["raw_code"]:
            properties = PROJECT / node["patch_path"].partition("://")[2]
            read |= set(SETTINGS.findall(properties.read_text()))
    listed = macros["macro.cx_warehouse.incremental_settings"]["macro_sql"]
    guarded = set(re.findall(r"'(\w+)'", listed))
    # as_of moves with every day: what depends on it is touched; base_currency comes by int_settings
    assert (read - {"as_of"}) | {"base_currency"} == guarded


def test_a_run_stops_where_a_seed_was_changed_and_not_loaded(
    lake: Path, rebuild: Callable[..., Warehouse], tmp_path: Path
) -> None:
    """Else a full refresh would note the rules of the file and hold rows of the table."""
    project = copy_project(tmp_path)
    file = project / "seeds" / "funnel_steps.csv"
    shipped = file.read_text()
    assert rebuild(lake, project=project).succeeded
    words = "seed funnel_steps stands otherwise in its file than it was loaded"

    add_to_seed(project, "funnel_steps", "seen,1,seen,page_view,,")
    stopped = rebuild(lake, "run", "--full-refresh", project=project)
    assert not stopped.succeeded
    assert words in stopped.output
    assert "dbt seed" in stopped.output
    built = rebuild(lake, "build", "--full-refresh", project=project)
    entries = "select count(*) from marts.fct_funnel_entries where funnel_name = 'seen'"
    assert built.query(entries) == [(1,)]

    # set back, but not loaded
    file.write_text(shipped)
    assert words in rebuild(lake, "run", "--full-refresh", project=project).output
    assert rebuild(lake, "seed", project=project).succeeded
    built = rebuild(lake, "run", "--full-refresh", project=project)
    assert built.query(entries) == [(0,)]


def test_a_run_without_a_view_is_not_finished(
    lake: Path, rebuild: Callable[..., Warehouse]
) -> None:
    assert rebuild(lake).succeeded
    partly = rebuild(lake, "run", "--exclude", "int_funnel_events")
    assert partly.succeeded
    assert last_run(partly) == (False, "", False)


def test_a_touched_model_reads_only_what_tells_of_its_changes(manifest: dict[str, Any]) -> None:
    nodes = manifest["nodes"]
    for node in incremental_nodes(manifest):
        if not node["config"]["meta"].get("touched_by"):
            continue
        for read in node["depends_on"]["nodes"]:
            source = nodes.get(read)
            if (
                source is None
                or source["resource_type"] == "seed"
                or source["name"] == "int_settings"
            ):
                continue
            seen, told = [source], {}
            while seen:
                step = seen.pop()
                if step["config"]["materialized"] == "view":
                    seen += [nodes[name] for name in step["depends_on"]["nodes"]]
                elif step["name"] not in TOLD_OTHERWISE:
                    told[step["name"]] = step["config"]["materialized"]
            assert set(told.values()) <= {"incremental", "seed"}, f"{node['name']} reads {told}"


def test_one_step_touches_a_model_in_python_and_stands_above_it(manifest: dict[str, Any]) -> None:
    """It reads in a transaction of its own: what is touched later would be deleted, not built."""
    nodes = incremental_nodes(manifest)
    in_python = [node for node in nodes if node.get("language") == "python"]
    assert in_python

    def steps_above(node: dict[str, Any]) -> set[str]:
        parents = [name for name in node["depends_on"]["nodes"] if name.startswith("model.")]
        return set(parents).union(*(steps_above(manifest["nodes"][name]) for name in parents))

    for model in in_python:
        [(entity, key)] = model["config"]["meta"]["touched_by"].items()
        assert f'touched(session, "{entity}", "{key}")' in model["raw_code"]
        touching = [
            node
            for node in nodes
            if entity in node["config"]["meta"].get("emits", {})
            or any(f"touch('{entity}'," in hook["sql"] for hook in node["config"]["pre-hook"])
        ]
        assert {node["unique_id"] for node in touching} <= steps_above(model)
        assert len(touching) == 1


def test_a_model_in_python_reads_all_in_a_full_refresh_and_else_what_is_touched() -> None:
    with duckdb.connect() as con:
        create_run_state(con)
        con.execute("create table rows as select unnest(['a', 'b', 'c']) as shopper_id")
        con.execute("insert into ops.touched values ('walk', 'b', 'm'), ('person', 'c', 'm')")

        def read() -> list[tuple[str]]:
            condition = touched(con, "walk", "shopper_id")
            return con.execute(f"select shopper_id from rows where {condition}").fetchall()

        assert len(read()) == 3
        con.execute("insert into ops.runs (run_number, is_full_refresh) values (1, true)")
        assert len(read()) == 3
        con.execute("insert into ops.runs (run_number, is_full_refresh) values (2, false)")
        assert read() == [("b",)]


def test_the_warehouse_of_an_older_version_is_rebuilt(
    lake: Path, rebuild: Callable[..., Warehouse]
) -> None:
    built = rebuild(lake)
    with duckdb.connect(str(built.path)) as con:
        con.execute("alter table ops.runs drop column reasons")
        con.execute("update marts.fct_sessions set page_view_count = 77")
    again = rebuild(lake)
    assert last_run(again) == (True, "this is the first build of the warehouse", True)
    assert again.query("select page_view_count from marts.fct_sessions") == [(1,)]


def test_a_seed_that_dbt_tells_by_its_path_is_told_by_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seeds").mkdir()
    monkeypatch.setattr("cx_warehouse.run_state.PROJECT_ROOT", tmp_path)
    small, large = "a\n1\n", "a\n" + "1\n" * 600_000
    nothing = code_hash()
    for text, name, is_told in [
        (small, "traffic_rules.csv", False),
        (large, "traffic_rules.csv", True),
        (large, "identity_exclusions.csv", False),
    ]:
        file = tmp_path / "seeds" / name
        file.write_text(text)
        assert (code_hash() != nothing) == is_told, (name, len(text))
        file.unlink()


def test_what_the_walks_import_is_code_whose_change_rebuilds() -> None:
    told = {file for pattern in CODE for file in PROJECT.glob(pattern)}
    source = PROJECT / "src" / "cx_warehouse"
    walks = [*source.glob("carts/*.py"), *source.glob("funnels/*.py")]
    imported = {
        source / f"{name.replace('.', '/')}.py"
        for walk in walks
        for name in IMPORTS.findall(walk.read_text())
    }
    assert imported
    assert imported <= told
