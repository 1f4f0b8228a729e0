"""Identity against planted truth: whether events were given to the person who was behind them.

A pair is an event of a device and the customer or guest it was given to. It is right when that is
the true person: all accounts and addresses that the warehouse holds of the customer or guest are
the true person's, so a mixture of two persons is right for neither.
Precision = right pairs / pairs.
Recall = right pairs / events whose true person has a sighting on that device within 365 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb

from cx_warehouse.measure.files import attach_built, built_file, open_truth
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from pathlib import Path

TRUTH_TABLES: Final = ("events", "identities", "sightings", "dirty_rows")
MARTS: Final = (
    "marts.fct_sessions",
    "marts.dim_persons",
    "marts.dim_identity_links",
    "quality.dq_builds",
)
SIGHTED_WITHIN_DAYS: Final = 365
# A build that lacks more of the truth's events is of another lake: shops share a few identifiers.
UNKNOWN_EVENTS_MAX: Final = 0.5
# Who shows an account and an address in a visit counts as the account, as in the warehouse.
KINDS: Final = ("customer_id", "email", "anonymous_id")

# Events that the warehouse holds: of a device, not set aside, not after as_of.
DEVICE_EVENTS: Final = """
create table device_events as
select person_id, visit_id, anonymous_id, timezone('UTC', occurred_at) as occurred_at
from truth_events
anti join (
    select row_key from truth_dirty_rows
    where source_name = 'web' and table_name = 'events'
        and expected_bucket not in ('staged', 'duplicate')
) as set_aside on truth_events.event_id = set_aside.row_key
where anonymous_id is not null
    and timezone('UTC', occurred_at) <= (select as_of from built.quality.dq_builds)
"""
# True person of each person of the warehouse; null where there are none or several.
OWNERS: Final = """
create table owners as
with known as (
    select
        case identifier_kind when 'email' then 'email_hash' else identifier_kind end
            as identifier_kind,
        case identifier_kind
            when 'email' then left(sha256($key || ':' || lower(trim(identifier))), 20)
            else identifier
        end as identifier,
        person_id as true_person_id
    from truth_identities
    where identifier_kind in ('customer_id', 'email')
)
select
    links.person_id,
    case when min(true_person_id) = max(true_person_id) then min(true_person_id) end
        as true_person_id,
    coalesce(min(true_person_id) <> max(true_person_id), false) as is_mixed,
    count(*) filter (where links.identifier_kind = 'email_hash') as addresses,
    count(true_person_id) filter (where links.identifier_kind = 'email_hash') as known_addresses
from built.marts.dim_identity_links as links
left join known
    on links.identifier_kind = known.identifier_kind and links.identifier = known.identifier
where links.identifier_kind in ('customer_id', 'email_hash')
group by links.person_id
"""
JUDGED: Final = f"""
create table judged as
with sightings as (
    select person_id, anonymous_id, timezone('UTC', first_seen_at) as seen_at
    from truth_sightings
    union
    select person_id, anonymous_id, timezone('UTC', last_seen_at) as seen_at
    from truth_sightings
),
visit_kinds as (
    select visit_id, min(identifier_kind) as identifier_kind
    from truth_sightings
    group by visit_id
),
shared as (
    select identifier as anonymous_id
    from truth_identities
    where identifier_kind = 'anonymous_id'
    group by identifier
    having count(distinct person_id) > 1
)
select
    coalesce(visit_kinds.identifier_kind, 'anonymous_id') as identifier_kind,
    shared.anonymous_id is not null as is_shared,
    persons.person_id is not null as is_built,
    coalesce(persons.person_kind in ('customer', 'guest'), false) as is_pair,
    coalesce(owners.true_person_id = events.person_id, false) as is_right,
    coalesce(events.occurred_at <= earlier.seen_at + interval {SIGHTED_WITHIN_DAYS} day, false)
    or coalesce(events.occurred_at >= later.seen_at - interval {SIGHTED_WITHIN_DAYS} day, false)
        as is_findable
from device_events as events
asof left join sightings as earlier
    on events.person_id = earlier.person_id and events.anonymous_id = earlier.anonymous_id
    and events.occurred_at >= earlier.seen_at
asof left join sightings as later
    on events.person_id = later.person_id and events.anonymous_id = later.anonymous_id
    and events.occurred_at <= later.seen_at
asof left join built.marts.fct_sessions as sessions
    on events.anonymous_id = sessions.anonymous_id and events.occurred_at >= sessions.started_at
left join built.marts.dim_persons as persons
    on case when events.occurred_at <= sessions.ended_at then sessions.person_id end
        = persons.person_id
left join owners on persons.person_id = owners.person_id
left join visit_kinds on events.visit_id = visit_kinds.visit_id
left join shared on events.anonymous_id = shared.anonymous_id
"""
COUNTS: Final = """
select
    identifier_kind,
    is_shared,
    count(*) filter (where is_pair),
    count(*) filter (where is_pair and is_right),
    count(*) filter (where is_findable)
from judged
group by all
"""


@dataclass(frozen=True)
class Score:
    """How well some events found their person.

    Attributes
    ----------
    pairs
        Events given to a customer or guest.
    right_pairs
        Those given to their true person.
    findable_events
        Events whose true person has a sighting on the device within 365 days.
    """

    pairs: int = 0
    right_pairs: int = 0
    findable_events: int = 0

    @property
    def precision(self) -> float | None:
        """Right pairs / pairs; None without pairs."""
        return self.right_pairs / self.pairs if self.pairs else None

    @property
    def recall(self) -> float | None:
        """Right pairs / findable events; None where none is findable."""
        return self.right_pairs / self.findable_events if self.findable_events else None

    def __add__(self, other: Score) -> Score:
        """Count the events of both."""
        return Score(
            self.pairs + other.pairs,
            self.right_pairs + other.right_pairs,
            self.findable_events + other.findable_events,
        )


@dataclass(frozen=True)
class IdentityMeasure:
    """Identity of a build against the truth.

    Attributes
    ----------
    file
        The DuckDB file that was read.
    by_kind
        Score of the events by what their visit showed of its person: an account (`customer_id`),
        only an e-mail address (`email`), or the device alone (`anonymous_id`).
    shared
        Score of the events on devices that several persons use.
    left_out
        Events of the truth that are no device events of the build, by why.
    unknown_events
        Device events that are in no session of the build; they count against recall.
    mixed_persons
        Persons of the build who hold accounts or addresses of several true persons.
    """

    file: Path
    by_kind: dict[str, Score]
    shared: Score
    left_out: dict[str, int]
    unknown_events: int
    mixed_persons: int

    @property
    def whole(self) -> Score:
        """Score of all events."""
        return sum(self.by_kind.values(), Score())


def measure_identity(settings: Settings, truth: Path) -> IdentityMeasure:
    """Compare who the warehouse says was behind each device event with who it was.

    Parameters
    ----------
    settings
        Where the build file is (without one, the published file is read), and the key of its
        e-mails.
    truth
        Folder of the truth that `cx simulate` wrote beside the lake.

    Returns
    -------
    IdentityMeasure
        Scores and counts.

    Raises
    ------
    CxError
        If the truth or the build is absent, lacks a table, or both are not of one lake.
    """
    file = built_file(settings)
    with (
        TemporaryDirectory(prefix=".measure-", dir=settings.warehouse_dir) as spill,
        duckdb.connect(config={"temp_directory": spill}) as connection,
    ):
        connection.execute("set timezone = 'UTC'")
        open_truth(connection, truth, TRUTH_TABLES)
        attach_built(connection, settings, file, MARTS)
        connection.execute(DEVICE_EVENTS)
        connection.execute(OWNERS, {"key": settings.pii_key})
        connection.execute(JUDGED)
        measure = _summarise(connection, file)
        _check_same_lake(connection, measure, truth)
    return measure


def _summarise(connection: duckdb.DuckDBPyConnection, file: Path) -> IdentityMeasure:
    by_kind = {kind: Score() for kind in KINDS}
    shared = Score()
    for kind, is_shared, *counts in connection.execute(COUNTS).fetchall():
        score = Score(*counts)
        by_kind[kind] += score
        shared += score if is_shared else Score()
    events, without_device, used, unknown, mixed = connection.execute(
        "select (select count(*) from truth_events),"
        " (select count(*) from truth_events where anonymous_id is null),"
        " count(*), count(*) filter (where not is_built),"
        " (select count(*) from owners where is_mixed) from judged"
    ).fetchall()[0]
    left_out = {
        "of persons without consent": without_device,
        "set aside as dirt, or after as_of": events - without_device - used,
    }
    return IdentityMeasure(file, by_kind, shared, left_out, unknown, mixed)


def _check_same_lake(
    connection: duckdb.DuckDBPyConnection, measure: IdentityMeasure, truth: Path
) -> None:
    """Refuse figures that would say nothing about identity."""
    used, addresses, known = connection.execute(
        "select (select count(*) from judged), coalesce(sum(addresses), 0),"
        " coalesce(sum(known_addresses), 0) from owners"
    ).fetchall()[0]
    if measure.unknown_events > used * UNKNOWN_EVENTS_MAX:
        message = (
            f"--truth: {measure.file} lacks {measure.unknown_events:,} of the {used:,} events of"
            f" {truth}: it was built from another lake"
        )
        raise CxError(message)
    if addresses and not known:
        message = (
            f"CX_PII_KEY: no e-mail of {truth} has a hash in {measure.file}; set the key that it"
            " was built with"
        )
        raise CxError(message)


def describe(measure: IdentityMeasure, truth: Path) -> list[str]:
    """Return the lines that tell what was measured.

    Parameters
    ----------
    measure
        Scores and counts.
    truth
        Folder that they were measured against.

    Returns
    -------
    list of str
        A table, then what was left out.
    """
    rows = {
        "account (customer_id)": measure.by_kind["customer_id"],
        "address alone (email)": measure.by_kind["email"],
        "device alone (anonymous_id)": measure.by_kind["anonymous_id"],
        "all": measure.whole,
        "of these, on shared devices": measure.shared,
    }
    width = max(map(len, rows))
    heads = ("pairs", "right", "findable", "precision", "recall")
    lines = [f"identity in {measure.file}, against {truth}", ""]
    lines += [f"{'visit showed':<{width}}" + "".join(f"{head:>12}" for head in heads)]
    lines += [
        f"{name:<{width}}{score.pairs:>12,}{score.right_pairs:>12,}{score.findable_events:>12,}"
        f"{_share(score.precision):>12}{_share(score.recall):>12}"
        for name, score in rows.items()
    ]
    lines += ["", "pair: an event of a device, given to a customer or guest"]
    lines += ["findable: its true person has a sighting on the device within 365 days"]
    lines += [f"left out: {count:,} events {why}" for why, count in measure.left_out.items()]
    lines += [f"in no session of the build: {measure.unknown_events:,} device events"]
    lines += [f"persons with accounts or addresses of several: {measure.mixed_persons:,}"]
    return lines


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
