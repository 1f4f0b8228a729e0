"""What is measured is as defined: on a case counted by hand, and on a simulated shop."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from conftest import BuildLake, SimulatedShop
from cx_warehouse import cli
from cx_warehouse.measure.identity import Score, measure_identity
from cx_warehouse.measure.reminders import measure_reminders
from cx_warehouse.settings import DEMO_PII_KEY, CxError, Settings
from cx_warehouse.simulate import Config, simulate
from small_build import small_settings

if TYPE_CHECKING:
    from pathlib import Path

# Alice has an account, Bob is a guest, Carol only looks. Alice and Bob share the tablet.
IDENTITIES = """
    ('alice', 'customer_id', 'c-1'), ('alice', 'email', 'alice@x.example'),
    ('alice', 'anonymous_id', 'phone'), ('alice', 'anonymous_id', 'tablet'),
    ('bob', 'email', 'bob@x.example'), ('bob', 'anonymous_id', 'tablet'),
    ('carol', 'email', 'carol@x.example'), ('carol', 'anonymous_id', 'laptop')
"""
SIGHTINGS = """
    ('alice', 'phone', 'v-1', 'customer_id', '2024-01-01 10:00', '2024-01-01 10:05'),
    ('alice', 'phone', 'v-1', 'email', '2024-01-01 10:05', '2024-01-01 10:05'),
    ('bob', 'tablet', 'v-4', 'email', '2024-03-01 10:00', '2024-03-01 10:00')
"""
# What becomes of each event is said beside it; Alice's e-8 is a minute and a day too late.
EVENTS = """
    ('e-1', 'alice', 'v-1', 'phone', '2024-01-01 10:00'), -- account, right
    ('e-2', 'alice', 'v-1', 'phone', '2024-01-01 10:05'), -- account, right
    ('e-3', 'alice', 'v-2', 'phone', '2024-06-01 10:00'), -- device, right
    ('e-4', 'alice', 'v-3', 'tablet', '2024-03-01 09:50'), -- device, given to Bob
    ('e-5', 'bob', 'v-4', 'tablet', '2024-03-01 10:00'), -- address, right
    ('e-6', 'bob', 'v-5', 'tablet', '2024-05-01 10:00'), -- device, given to nobody
    ('e-7', 'carol', 'v-6', 'laptop', '2024-05-01 10:00'), -- device, given to nobody
    ('e-8', 'alice', 'v-7', 'phone', '2025-01-01 10:06'), -- device, given to nobody
    ('e-9', 'alice', 'v-8', 'phone', '2024-06-01 12:00'), -- set aside
    ('e-10', 'alice', 'v-8', null, '2024-06-01 12:00'), -- no consent
    ('e-11', 'alice', 'v-9', 'phone', '2025-02-01 12:00') -- after as_of
"""
DIRTY_ROWS = """
    ('web', 'events', 'e-9', 'no_device'), ('web', 'events', 'e-3', 'duplicate'),
    ('web', 'events', 'e-1', 'staged'), ('support', 'tickets', 'e-2', 'quarantined')
"""
COLUMNS = {
    "identities": (IDENTITIES, "person_id, identifier_kind, identifier"),
    "sightings": (
        SIGHTINGS,
        "person_id, anonymous_id, visit_id, identifier_kind, first_seen_at, last_seen_at",
    ),
    "events": (EVENTS, "event_id, person_id, visit_id, anonymous_id, occurred_at"),
    "dirty_rows": (DIRTY_ROWS, "source_name, table_name, row_key, expected_bucket"),
}
BUILD = """
create schema marts; create schema quality;
create table quality.dq_builds as select timestamp '2025-01-31 00:00' as as_of;
create table marts.fct_sessions as
select session_id, anonymous_id, person_id, started_at::timestamp as started_at,
    ended_at::timestamp as ended_at
from (values
    ('s-1', 'phone', 'p-1', '2024-01-01 10:00', '2024-01-01 10:05'),
    ('s-2', 'phone', 'p-1', '2024-06-01 10:00', '2024-06-01 10:00'),
    ('s-3', 'tablet', 'p-2', '2024-03-01 09:50', '2024-03-01 10:00'),
    ('s-4', 'tablet', 'visitor-1', '2024-05-01 10:00', '2024-05-01 10:00'),
    ('s-5', 'laptop', 'visitor-2', '2024-05-01 10:00', '2024-05-01 10:00'),
    ('s-6', 'phone', 'visitor-3', '2025-01-01 10:06', '2025-01-01 10:06')
) as sessions (session_id, anonymous_id, person_id, started_at, ended_at);
create table marts.dim_persons as
select person_id, split_part(kind, ' ', 1) as person_kind
from (values
    ('p-1', 'customer'), ('p-2', 'guest'), ('visitor-1', 'visitor'), ('visitor-2', 'visitor'),
    ('visitor-3', 'visitor')
) as persons (person_id, kind);
create table marts.dim_identity_links as
select person_id, identifier_kind,
    case identifier_kind
        when 'email_hash' then left(sha256('{key}:' || identifier), 20)
        else identifier
    end as identifier
from (values
    ('p-1', 'customer_id', 'c-1'), ('p-1', 'email_hash', 'alice@x.example'),
    ('p-2', 'email_hash', 'bob@x.example'), ('p-2', 'email_hash', 'typed@wrong.example'),
    ('p-1', 'anonymous_id', 'phone'), ('visitor-2', 'anonymous_id', 'laptop')
) as links (person_id, identifier_kind, identifier);
"""


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    folder = tmp_path / "truth"
    folder.mkdir()
    for table, (rows, columns) in COLUMNS.items():
        moments = [column for column in columns.split(", ") if column.endswith("_at")]
        cast = ", ".join(f"timezone('UTC', {name}::timestamp) as {name}" for name in moments)
        replaced = f"replace ({cast})" if cast else ""
        duckdb.execute(
            f"copy (select * {replaced} from (values {rows.strip()}\n) as t ({columns}))"
            f" to '{folder / table}.parquet'"
        )
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = small_settings(tmp_path)
    with duckdb.connect(made.build_path) as connection:
        connection.execute(BUILD.format(key=made.pii_key))
    return made


def change(settings: Settings, sql: str) -> None:
    with duckdb.connect(settings.build_path) as connection:
        connection.execute(sql)


def test_a_case_counted_by_hand_has_its_precision_and_recall(settings, truth):
    measure = measure_identity(settings, truth)
    # e-1 to e-6 are findable but e-4: nobody saw Alice on the tablet
    assert measure.by_kind == {
        "customer_id": Score(pairs=2, right_pairs=2, findable_events=2),
        "email": Score(pairs=1, right_pairs=1, findable_events=1),
        "anonymous_id": Score(pairs=2, right_pairs=1, findable_events=2),
    }
    assert measure.shared == Score(pairs=2, right_pairs=1, findable_events=2)
    assert measure.whole.precision == 4 / 5
    assert measure.whole.recall == 4 / 5
    assert list(measure.left_out.values()) == [1, 2]
    assert (measure.unknown_events, measure.mixed_persons) == (0, 0)


def test_an_event_a_year_after_the_last_sighting_is_findable_and_later_not(settings, truth):
    path = truth / "events.parquet"
    duckdb.execute(
        "copy (select * replace (occurred_at - case event_id when 'e-8'"
        " then interval '24 hours 1 minute' else interval '0 minutes' end as occurred_at)"
        f" from '{path}') to '{truth / 'new'}' (format parquet)"
    )
    (truth / "new").replace(path)
    found = measure_identity(settings, truth).by_kind["anonymous_id"]
    assert found == Score(pairs=2, right_pairs=1, findable_events=3)


def test_a_person_made_of_two_is_right_for_neither(settings, truth):
    change(
        settings, "update marts.dim_identity_links set person_id = 'p-1' where person_id = 'p-2'"
    )
    change(settings, "update marts.fct_sessions set person_id = 'p-1' where person_id = 'p-2'")
    measure = measure_identity(settings, truth)
    assert measure.mixed_persons == 1
    assert measure.whole.precision == 0


def test_an_event_that_the_build_has_lost_counts_against_recall(settings, truth):
    change(settings, "delete from marts.fct_sessions where session_id = 's-2'")
    measure = measure_identity(settings, truth)
    assert measure.unknown_events == 1
    assert measure.whole == Score(pairs=4, right_pairs=3, findable_events=5)


def test_without_pairs_there_is_no_precision():
    assert Score().precision is None
    assert Score().recall is None


def test_without_a_build_file_the_published_one_is_read(settings, truth):
    before = measure_identity(settings, truth)
    shutil.move(settings.build_path, settings.serve_path)
    after = measure_identity(settings, truth)
    assert (after.by_kind, after.file) == (before.by_kind, settings.serve_path)


def run(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, truth: Path, what: str = "identity"
) -> int:
    monkeypatch.setenv("CX_RAW_PATH", str(settings.raw_path))
    monkeypatch.setenv("CX_WAREHOUSE_DIR", str(settings.warehouse_dir))
    monkeypatch.setenv("CX_PII_KEY", settings.pii_key)
    monkeypatch.setattr(sys, "argv", ["cx", "measure", what, "--truth", str(truth)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def test_the_command_prints_shares_and_the_counts_behind_them(settings, truth, monkeypatch, capsys):
    assert run(monkeypatch, settings, truth) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = {line[:27].strip(): line[27:].split() for line in lines[2:8]}
    assert cells["visit showed"] == ["pairs", "right", "findable", "precision", "recall"]
    assert cells["device alone (anonymous_id)"] == ["2", "1", "2", "0.5000", "0.5000"]
    assert cells["all"] == ["5", "4", "5", "0.8000", "0.8000"]
    assert "left out: 2 events set aside as dirt, or after as_of" in lines


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("drop table marts.fct_sessions", "build.duckdb lacks marts.fct_sessions; run"),
        ("delete from marts.fct_sessions", "built from another lake"),
        ("delete from marts.fct_sessions where session_id <> 's-2'", "built from another lake"),
        (
            "update marts.dim_identity_links set identifier = identifier || 'x'",
            "CX_PII_KEY: no e-mail of",
        ),
    ],
)
def test_a_build_that_says_nothing_about_the_truth_is_refused(settings, truth, damage, message):
    change(settings, damage)
    with pytest.raises(CxError, match=message):
        measure_identity(settings, truth)


def test_what_is_absent_or_unreadable_is_named(settings, truth, monkeypatch, capsys):
    (truth / "sightings.parquet").write_bytes(b"no parquet")
    assert run(monkeypatch, settings, truth) == 1
    (truth / "sightings.parquet").unlink()
    assert run(monkeypatch, settings, truth) == 1
    assert run(monkeypatch, settings, truth / "nowhere") == 1
    settings.build_path.unlink()
    assert run(monkeypatch, settings, truth) == 1
    errors = capsys.readouterr().err.splitlines()
    for error, part in zip(
        errors,
        (
            "--truth: cannot read",
            "sightings.parquet does not exist",
            "nowhere/events.parquet does not exist",
            "build.duckdb does not exist; run `cx build`",
        ),
        strict=True,
    ):
        assert part in error


def test_identity_of_a_simulated_shop_keeps_the_bars(simulated: SimulatedShop) -> None:
    folder = simulated.warehouse.path.parent
    settings = Settings(simulated.lake, "parquet", folder, DEMO_PII_KEY)
    measure = measure_identity(settings, simulated.truth)
    assert all(score.pairs > 1000 for score in measure.by_kind.values())
    assert measure.whole.precision >= 0.995
    assert measure.whole.recall >= 0.90
    # shared devices are among them, and events are given to another person nowhere else
    assert measure.shared.pairs > 50
    wrong = measure.whole.pairs - measure.whole.right_pairs
    assert wrong == measure.shared.pairs - measure.shared.right_pairs
    assert measure.mixed_persons == 0
    # the events' sessions are found by device and time alone; the build knows each event's own
    [(events, pairs)] = simulated.warehouse.query("""
        select count(*), count(*) filter (where not owned.is_visitor)
        from intermediate.int_events_sessionised as events
        inner join intermediate.int_sessions_owned as owned using (session_id)
    """)
    assert measure.whole.pairs == pairs
    assert measure.unknown_events == 0
    [(planted,)] = duckdb.execute(
        f"select count(*) from '{simulated.truth}/events.parquet'"
    ).fetchall()
    assert events + sum(measure.left_out.values()) == planted


@pytest.fixture(scope="module")
def tablets(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> SimulatedShop:
    """Build a shop in which everybody uses a tablet, most of them that of two persons."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cx_warehouse.simulate.people.TABLET_SHARE", 1.0)
        patch.setattr("cx_warehouse.simulate.planted.SHARED_TABLET_SHARE", 1.0)
        outcome = simulate(Config(300, 365, 1), tmp_path_factory.mktemp("tablets"))
    return SimulatedShop(outcome.lake, outcome.truth, build_lake(outcome.lake))


def test_where_two_persons_were_seen_no_event_of_one_reaches_the_other(
    tablets: SimulatedShop,
) -> None:
    """Scenario: shared device, on many tablets."""
    both_seen = f"""
        select anonymous_id from '{tablets.truth}/sightings.parquet'
        group by anonymous_id having count(distinct person_id) = 2
    """
    given = tablets.warehouse.query(f"""
        select owned.is_visitor, count(*) as events, count(distinct truth.person_id) as persons
        from intermediate.int_events_sessionised as events
        inner join intermediate.int_sessions_owned as owned using (session_id)
        inner join '{tablets.truth}/events.parquet' as truth using (event_id)
        where events.anonymous_id in ({both_seen})
        group by events.anonymous_id, owned.person_id, owned.is_visitor
    """)
    assert sum(events for is_visitor, events, _ in given if not is_visitor) > 200
    assert {persons for is_visitor, _, persons in given if not is_visitor} == {1}
    # what shows neither could be either's
    assert {persons for is_visitor, _, persons in given if is_visitor} == {1, 2}


def test_reminders_did_what_the_orders_of_reminded_and_held_out_carts_say(
    simulated: SimulatedShop, monkeypatch, capsys
) -> None:
    """Each planted order closes its cart; one in a store may close another's, in either group."""
    folder = simulated.warehouse.path.parent
    settings = Settings(simulated.lake, "parquet", folder, DEMO_PII_KEY)
    measure = measure_reminders(settings, simulated.truth)
    for arm in (measure.reminded, measure.held_out):
        assert 0 <= arm.found_rate - arm.true_rate <= 3 / arm.carts
    assert measure.reminded.carts > 5 * measure.held_out.carts > 0
    assert run(monkeypatch, settings, simulated.truth, "reminders") == 0
    assert f"{measure.found_effect:.4f}" in capsys.readouterr().out.splitlines()[-1]
