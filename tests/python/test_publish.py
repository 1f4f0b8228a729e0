from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cx_warehouse import publish as publishing
from cx_warehouse.publish import publish
from cx_warehouse.quality.results import Check, GateResult, file_fingerprint, write_result
from cx_warehouse.settings import CxError
from small_build import pass_gates, small_settings, write_build

if TYPE_CHECKING:
    from cx_warehouse.settings import Settings

PUBLISHES = 12

# Reconnects until told to stop; each build has one number in all its tables.
READER = """
import json, sys
from pathlib import Path
import duckdb
link, parquet, stop = (Path(text) for text in sys.argv[1:])
reads, seen, problems = 0, set(), []
while not stop.exists():
    try:
        with duckdb.connect(str(link), read_only=True) as connection:
            build = connection.execute("select build_id from quality.dq_builds").fetchone()[0]
            counts = connection.execute(
                "select distinct item_count from marts.fct_orders"
            ).fetchall()
        folder = parquet.resolve()
        same = duckdb.execute(
            f"select distinct item_count from '{folder}/marts/fct_orders.parquet' union"
            f" select split_part(build_id, '-', 2)::int from '{folder}/quality/dq_builds.parquet'"
        ).fetchall()
        if [("build-%d" % count,) for (count,) in counts] != [(build,)] or len(same) != 1:
            problems.append(f"{build} {counts} {same}")
        seen.add(build)
        reads += 1
    except Exception as error:
        problems.append(repr(error))
print(json.dumps({"reads": reads, "builds": len(seen), "problems": problems[:3]}))
"""
PUBLISHER = """
import sys
from pathlib import Path
from cx_warehouse.publish import publish
from cx_warehouse.settings import Settings
publish(Settings(Path(sys.argv[1]), "parquet", Path(sys.argv[2]), "a-key-of-the-tests"))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = small_settings(tmp_path)
    new_build(made, 1)
    return made


def new_build(settings: Settings, number: int) -> None:
    change = f"update marts.fct_orders set item_count = {number}"
    write_build(settings.build_path, f"build-{number}", change)
    pass_gates(settings, f"build-{number}")


def start_publisher(settings: Settings) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", PUBLISHER, str(settings.raw_path)]
    return subprocess.Popen([*arguments, str(settings.warehouse_dir)])


def names(settings: Settings) -> set[str]:
    return {path.name for path in settings.warehouse_dir.iterdir()}


def published_build(settings: Settings) -> str:
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        return str(connection.execute("select build_id from quality.dq_builds").fetchall()[0][0])


def test_reader_never_fails_and_never_sees_two_builds_at_once(settings, tmp_path):
    publish(settings)
    stop = tmp_path / "stop"
    links = [str(settings.serve_path), str(settings.warehouse_dir / "parquet")]
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, *links, str(stop)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for number in range(2, PUBLISHES + 2):
        new_build(settings, number)
        publish(settings)
    stop.touch()
    for reader in readers:
        found = json.loads(reader.communicate(timeout=30)[0])
        assert found["problems"] == []
        assert found["reads"] > PUBLISHES
        assert found["builds"] > 3


def test_the_link_is_there_at_every_step_of_its_switch(settings, monkeypatch):
    publish(settings)
    steps = []

    def watched(original):
        def run(*arguments, **options):
            done = original(*arguments, **options)
            steps.append(settings.serve_path.exists())
            return done

        return run

    for name in ("symlink_to", "unlink", "replace", "rename"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))
    publish(settings)
    assert len(steps) > 4
    assert all(steps)


def test_comments_constraints_and_rows_are_kept(settings):
    publish(settings)
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        table = connection.execute(
            "select comment, sql from duckdb_tables() where table_name = 'fct_orders'"
        ).fetchall()[0]
        column = connection.execute(
            "select comment from duckdb_columns()"
            " where table_name = 'fct_orders' and column_name = 'net_sales'"
        ).fetchall()
        rows = connection.execute(
            "select count(*), sum(net_sales) from marts.fct_orders"
        ).fetchall()
    assert table[0] == "One row per order; it's in base currency."
    assert "order_id VARCHAR NOT NULL" in table[1]
    assert "CHECK" in table[1]
    assert column == [("Gross less discount.",)]
    assert rows == [(4, 36)]


def test_nothing_but_marts_and_quality_is_published(settings):
    publication = publish(settings)
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables() order by 1"
        ).fetchall()
    assert schemas == [("marts",), ("quality",)]
    files = [publication.serve_file, *publication.parquet_folder.rglob("*.parquet")]
    assert not [path for path in files if b"secret@example.com" in path.read_bytes()]
    assert {path.stem for path in files} >= {"fct_orders", "dq_builds", "dq_validation_results"}


def test_validation_results_are_a_documented_table_of_the_published_file(settings):
    publish(settings)
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        rows = connection.execute(
            "select run_id, suite, expectation, column_name, success, observed, severity"
            " from quality.dq_validation_results order by run_id"
        ).fetchall()
        undocumented = connection.execute(
            "select column_name from duckdb_columns()"
            " where table_name = 'dq_validation_results' and comment is null"
        ).fetchall()
    assert rows == [
        ("build-1", "marts.fct_orders", "key_is_unique", "order_id", True, "", "critical"),
        ("lake-1", "raw_storefront.orders", "has_rows", "", True, "10", "critical"),
    ]
    assert undocumented == []


def test_a_view_is_published_as_a_table(settings):
    change = (
        "create view marts.agg_sales as select sum(net_sales) as net_sales from marts.fct_orders"
    )
    write_build(settings.build_path, "build-1", change)
    pass_gates(settings, "build-1")
    publish(settings)
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        assert connection.execute("select * from marts.agg_sales").fetchall() == [(36,)]


@pytest.mark.parametrize("gate", ["raw", "marts"])
def test_a_gate_that_has_not_run_keeps_the_build_from_being_published(settings, gate):
    (settings.validation_dir / f"{gate}.parquet").unlink()
    with pytest.raises(CxError, match=f"the {gate} gate has not run; run `cx check {gate}`"):
        publish(settings)
    assert not settings.serve_path.exists()


@pytest.mark.parametrize("gate", ["raw", "marts"])
def test_a_critical_failure_leaves_what_is_published(settings, gate):
    before = publish(settings)
    new_build(settings, 2)
    check = Check("marts.x", "rule", "", "critical", success=False, message="marts.x: rule broken")
    build_file = file_fingerprint(settings.build_path)
    write_result(settings.validation_dir, GateResult(gate, "build-2", (check,), build_file))
    with pytest.raises(CxError, match=r"marts\.x: rule broken"):
        publish(settings)
    assert settings.serve_path.resolve() == before.serve_file
    assert published_build(settings) == "build-1"


def test_a_failed_warning_does_not_stop(settings):
    check = Check("marts.x", "rule", "", "warning", success=False, message="odd")
    write_result(settings.validation_dir, GateResult("raw", "lake-1", (check,)))
    publish(settings)
    assert published_build(settings) == "build-1"


def test_results_of_another_build_are_refused(settings):
    publish(settings)
    new_build(settings, 2)
    pass_gates(settings, "build-1")
    with pytest.raises(CxError, match="run `cx check marts`"):
        publish(settings)
    assert published_build(settings) == "build-1"


def test_a_build_file_written_after_the_gate_is_refused(settings):
    with duckdb.connect(settings.build_path) as connection:
        connection.execute("update marts.fct_orders set net_sales = 0")
    with pytest.raises(CxError, match="has been written since the marts gate"):
        publish(settings)


def test_it_is_told_whether_the_raw_gate_has_seen_the_files_that_were_built(settings):
    assert publish(settings).is_lake_checked
    change = "update quality.dq_builds set lake_fingerprint = 'lake-2'"
    write_build(settings.build_path, "build-2", change)
    pass_gates(settings, "build-2")
    assert not publish(settings).is_lake_checked


def test_a_build_file_written_during_the_last_look_leaves_nothing_unfinished(settings, monkeypatch):
    looks = iter([None, CxError("has been written since")])

    def look(*_):
        if error := next(looks):
            raise error

    monkeypatch.setattr(publishing, "_check_same_build", look)
    with pytest.raises(CxError, match="has been written since"):
        publish(settings)
    assert not [name for name in names(settings) if "partial" in name]


def test_a_result_that_is_no_result_is_one_clear_line(settings):
    (settings.validation_dir / "marts.parquet").write_bytes(b"no parquet")
    with pytest.raises(CxError, match="is not a gate's result; run `cx check marts` again"):
        publish(settings)


def test_a_build_file_that_dbt_is_writing_is_one_clear_line(settings):
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(settings.build_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(CxError, match=rf"being written by process {writer.pid}") as caught:
            publish(settings)
        writer.communicate(b"\n")
    assert "\n" not in str(caught.value)


def test_the_version_just_replaced_is_kept_and_older_ones_go(settings):
    made = []
    for number in (1, 2, 3):
        new_build(settings, number)
        made.append(publish(settings))
    assert not made[0].serve_file.exists()
    assert not made[0].parquet_folder.exists()
    assert made[1].serve_file.exists()
    assert made[1].parquet_folder.exists()
    assert published_build(settings) == "build-3"


def test_the_version_just_replaced_goes_when_what_it_holds_must(settings):
    first = publish(settings)
    publish(settings, keep_previous=False)
    assert not first.serve_file.exists()
    assert not first.parquet_folder.exists()


def test_a_reader_keeps_its_version_while_the_link_moves_twice(settings):
    publish(settings)
    with duckdb.connect(settings.serve_path, read_only=True) as connection:
        for number in (2, 3):
            new_build(settings, number)
            publish(settings)
        rows = connection.execute("select build_id from quality.dq_builds").fetchall()
    assert rows == [("build-1",)]


def test_leftovers_of_killed_runs_go_and_strangers_stay(settings):
    folder = settings.warehouse_dir
    left = ["serve-0123456789ab.duckdb.partial", "serve-0123456789ab.duckdb.partial.wal"]
    left += ["serve-ba9876543210.duckdb", ".serve.duckdb.link"]
    strangers = {"serve-notes.duckdb", "parquet-old", "notes.txt"}
    for name in [*left, *strangers]:
        (folder / name).touch()
    (folder / "parquet-0123456789ab.partial" / "marts").mkdir(parents=True)
    publish(settings)
    assert names(settings) >= strangers
    assert not names(settings) & {*left, "parquet-0123456789ab.partial"}


def test_a_full_disk_leaves_what_is_published(settings, monkeypatch):
    before = publish(settings)
    new_build(settings, 2)

    def fail(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(publishing, "_write_parquet", fail)
    with pytest.raises(CxError, match="No space left on device"):
        publish(settings)
    assert settings.serve_path.resolve() == before.serve_file
    assert not [name for name in names(settings) if "partial" in name]


def test_a_publish_killed_at_any_moment_leaves_a_whole_version(settings):
    publish(settings)
    for delay in (0.35, 0.5, 0.65, 0.8):
        process = start_publisher(settings)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert published_build(settings) == "build-1"
    publish(settings)
    publications = {name for name in names(settings) if name.startswith(("serve-", "parquet-"))}
    assert len(publications) == 4


def test_two_publishes_at_once_both_succeed(settings):
    processes = [start_publisher(settings) for _ in range(2)]
    assert [process.wait(timeout=30) for process in processes] == [0, 0]
    assert published_build(settings) == "build-1"
    assert len([name for name in names(settings) if name.startswith("serve-")]) == 2


def test_a_file_in_the_place_of_the_link_is_not_overwritten(settings):
    settings.serve_path.write_text("precious")
    with pytest.raises(CxError, match="is no link that `cx publish` has made"):
        publish(settings)
    assert settings.serve_path.read_text() == "precious"


def test_without_a_build_it_says_what_to_run(tmp_path):
    with pytest.raises(CxError, match="run `cx build` or `dbt build` first"):
        publish(small_settings(tmp_path))
    assert not Path(tmp_path / "warehouse" / "serve.duckdb").exists()
