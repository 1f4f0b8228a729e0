"""Spoils tables at stated rates and says what must become of each spoiled row.

Rows that must end in quarantine are added beside the good ones under keys of their own, so a
warehouse that sets them aside is left with the clean lake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.simulate.arrays import CHUNK_STEP, Ints, identifiers, words
from cx_warehouse.simulate.config import DIRT_KINDS
from cx_warehouse.simulate.randomness import GLOBAL_CHUNK

if TYPE_CHECKING:
    from cx_warehouse.contract import Table

BOT_AGENTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/124.0 Safari/537.36",
    "python-requests/2.31",
)
MILLIS_PER_DAY: Final = 86_400_000
LATE_DAYS: Final = (4, 61)
SMALL_TABLE_SHARE: Final = 0.04
"""A table gets each flaw at least once, as long as no more than this share of it is bad."""
NULL: Final = "null"
NEGATED: Final = "negated"
LONG_AGO: Final = "1970"
BEFORE: Final = "before "
"""A day before another column."""
ONE_MORE: Final = "one more"
AS_LOADED: Final = "as loaded"


@dataclass(frozen=True)
class Flaw:
    """One way to spoil a row of a table.

    Attributes
    ----------
    kind
        Kind of dirt, one of `DIRT_KINDS`.
    changes
        Column and new value: a constant, or one of the words above.
    code
        Reason code that the row must get.
    """

    kind: str
    changes: dict[str, Any]
    code: str


def _flaw(kind: str, code: str | None = None, **changes: Any) -> Flaw:  # noqa: ANN401 - any column
    return Flaw(kind, changes, code or {"missing": "required_empty"}.get(kind, kind))


def _bad(**changes: Any) -> Flaw:  # noqa: ANN401 - any column
    return Flaw("malformed", changes, "cast_failed")


FLAWS: Final = {
    "storefront.orders": (
        _flaw("total_mismatch", order_total=ONE_MORE),
        _flaw("missing", currency=NULL),
        _bad(ordered_at="yesterday"),
        _flaw("negative", item_total=NEGATED),
        _flaw("end_before_start", cancelled_at=BEFORE + "ordered_at"),
        _flaw("implausible_time", ordered_at=LONG_AGO),
        _flaw("missing_rate", currency="JPY"),
    ),
    "storefront.order_items": (
        _flaw("order_missing", order_id="o-nowhere"),
        _flaw("missing", product_id=NULL),
        _bad(quantity="3 pieces"),
        _flaw("negative", unit_price=NEGATED),
    ),
    "storefront.customers": (
        _flaw("missing", created_at=NULL),
        _bad(accepts_marketing="maybe"),
        _flaw("implausible_time", created_at=LONG_AGO),
    ),
    "storefront.products": (
        _flaw("negative", unit_cost=NEGATED),
        _flaw("missing", product_name=NULL),
        _bad(list_price="on request"),
    ),
    "storefront.refunds": (
        _flaw("order_missing", order_id="o-nowhere"),
        _flaw("missing", amount=NULL),
        _bad(amount="all of it"),
        _flaw("implausible_time", refunded_at=LONG_AGO),
    ),
    "storefront.deliveries": (
        _flaw("end_before_start", delivered_at=BEFORE + "shipped_at"),
        _flaw("order_missing", order_id="o-nowhere"),
        _flaw("missing", order_id=NULL),
        _bad(delivered_at="next week"),
        _flaw("implausible_time", shipped_at=LONG_AGO),
    ),
    "storefront.promotions": (
        _flaw("end_before_start", ends_at=BEFORE + "starts_at"),
        _flaw("missing", starts_at=NULL),
        _bad(discount_value="half"),
        _flaw("negative", discount_value=NEGATED),
    ),
    "storefront.exchange_rates": (
        _flaw("out_of_range", rate_to_base=0.0),
        _flaw("missing", currency=NULL),
        _bad(rate_to_base="n/a"),
    ),
    "web.events": (
        _flaw("missing", event_name=NULL),
        _bad(search_result_count="many"),
        _flaw("negative", quantity=-1),
        _flaw("implausible_time", occurred_at=LONG_AGO),
    ),
    "experiments.experiments": (
        _flaw("end_before_start", ends_at=BEFORE + "starts_at"),
        _flaw("missing", control_variant=NULL),
        _bad(starts_at="soon"),
    ),
    "experiments.exposures": (
        _flaw("missing", variant=NULL),
        _bad(exposed_at="then"),
        _flaw("implausible_time", exposed_at=LONG_AGO),
    ),
    "support.tickets": (
        _flaw("out_of_range", satisfaction_score=6),
        _flaw("end_before_start", first_responded_at=BEFORE + "created_at"),
        _flaw("missing", created_at=NULL),
        _bad(satisfaction_score="meh"),
        _flaw("negative", agent_minutes=-5.0),
        _flaw("implausible_time", created_at=LONG_AGO),
    ),
    "feedback.nps_surveys": (
        _flaw("out_of_range", score=11),
        _flaw("end_before_start", responded_at=BEFORE + "sent_at"),
        _flaw("missing", sent_at=NULL),
        _bad(score="ten"),
        _flaw("implausible_time", sent_at=LONG_AGO),
    ),
    "feedback.reviews": (
        _flaw("out_of_range", rating=0),
        _flaw("missing", rating=NULL),
        _bad(rating="five stars"),
        _flaw("implausible_time", reviewed_at=LONG_AGO),
    ),
    "email.campaigns": (
        _flaw("missing_rate", currency="JPY", cost=5, sent_at=AS_LOADED),
        _flaw("missing", campaign_name=NULL),
        _bad(cost="free"),
        _flaw("implausible_time", sent_at=LONG_AGO),
    ),
    "email.email_events": (
        _flaw("missing", event_type=NULL),
        _bad(occurred_at="soon"),
        _flaw("implausible_time", occurred_at=LONG_AGO),
    ),
    "marketing.ad_spend": (
        _flaw("missing_rate", currency="JPY"),
        _flaw("negative", clicks=-1),
        _flaw("missing", spend=NULL),
        _bad(impressions="lots"),
    ),
    "marketing.referrals": (
        _flaw("end_before_start", accepted_at=BEFORE + "invited_at"),
        _flaw("missing", referrer_customer_id=NULL),
        _bad(accepted_at="never"),
        _flaw("implausible_time", invited_at=LONG_AGO),
    ),
}
# What an older version of a row did not know yet.
UNKNOWN_BEFORE: Final = {
    "storefront.orders": ("cancelled_at",),
    "storefront.deliveries": ("delivered_at",),
    "storefront.customers": (),
    "storefront.products": (),
    "support.tickets": ("first_responded_at", "resolved_at", "satisfaction_score"),
    "feedback.nps_surveys": ("responded_at", "score", "comment"),
    "web.events": ("load_time_ms",),
}
ONE_CURRENCY_ONLY: Final = "storefront.orders"
BOT_NAMES: Final = ("page_view", "product_view")


@dataclass(frozen=True)
class Spoiled:
    """A table after the dirt.

    Attributes
    ----------
    files
        By ending of the file's name; the one named text carries a column as text.
    truth
        Rows of the truth's `dirty_rows`.
    """

    files: dict[str, pa.Table]
    truth: list[pa.Table]


class Spoiler:
    """Spoils one table of one chunk."""

    def __init__(  # noqa: PLR0913, PLR0917 - what decides about the dirt of a table
        self,
        contract: Table,
        table: pa.Table,
        rates: dict[str, float],
        rng: np.random.Generator,
        chunk: int,
        currencies: int,
    ) -> None:
        self.contract = contract
        self.name = f"{contract.source}.{contract.name}"
        self.table = table
        self.rates = rates
        self.rng = rng
        self.chunk = chunk
        self.currencies = currencies
        self.truth: list[pa.Table] = []
        self.extra: list[pa.Table] = []
        self.text: list[pa.Table] = []

    def spoil(self) -> Spoiled:
        """Apply all kinds of dirt."""
        if self.table.num_rows:
            self._load_late()
            if self.name == "web.events":
                self._lose_devices()
                self._add_bots()
            self._copy("duplicate")
            if self.name in UNKNOWN_BEFORE:
                self._copy("version")
            for place, flaw in enumerate(FLAWS[self.name]):
                self._add_flawed(flaw, place)
            self._reorder()
        files = {"": self.table}
        if self.extra:
            files["-more"] = pa.concat_tables(self.extra, promote_options="default")
        if self.text:
            files["-text"] = pa.concat_tables(self.text, promote_options="default")
        return Spoiled(files, self.truth)

    def _pick(self, kind: str, least: int, among: Ints | None = None) -> Ints:
        """Draw distinct rows; the first chunk gets `least` at any rate above 0."""
        rows = np.arange(self.table.num_rows) if among is None else among
        rate = self.rates.get(kind, 0.0)
        if rate == 0 or not len(rows):
            return np.zeros(0, np.int64)
        count = int(self.rng.binomial(self.table.num_rows, rate))
        if self.chunk in {0, GLOBAL_CHUNK}:
            count = max(count, least)
        return np.unique(rows[self.rng.integers(0, len(rows), count)])

    def _tell(self, rows: pa.Table, kind: str, bucket: str, code: str | None = None) -> None:
        """Write down what must become of rows."""
        if rows.num_rows:
            self.truth.append(dirty_rows(self.contract, rows, kind, bucket, code))

    def _set(self, table: pa.Table, name: str, column: pa.Array) -> pa.Table:
        return table.set_column(table.schema.get_field_index(name), name, column)

    def _load_late(self) -> None:
        rows = self._pick("late", 1)
        loaded = whole(self.table["_loaded_at"])
        millis = loaded.cast(pa.int64()).to_numpy().copy()
        millis[rows] += self.rng.integers(*LATE_DAYS, len(rows)) * MILLIS_PER_DAY
        self.table = self._set(self.table, "_loaded_at", pa.array(millis).cast(loaded.type))
        self._tell(self.table.take(rows), "late", "staged")

    def _lose_devices(self) -> None:
        """Take the device from some events; those of persons without consent have none anyway."""
        column = whole(self.table["anonymous_id"])
        index = column.indices.fill_null(-1).to_numpy().copy()
        index[self._pick("no_device", 1)] = -1
        self.table = self._set(self.table, "anonymous_id", words(column.dictionary, index))
        self._tell(
            self.table.select(self.contract.key).take(np.flatnonzero(index < 0)),
            "no_device",
            "no_device",
        )

    def _add_bots(self) -> None:
        views = pc.is_in(whole(self.table["event_name"]).dictionary_decode(), pa.array(BOT_NAMES))
        among = np.flatnonzero(views.to_numpy(zero_copy_only=False))
        rows = plain(self.table.take(self._pick("bot", 1, among)))
        count = rows.num_rows
        if not count:
            return
        agents = words(BOT_AGENTS, self.rng.integers(0, len(BOT_AGENTS), count)).cast(pa.string())
        number = self.chunk_number + np.arange(count) // 20
        changed = {
            "event_id": self._keys("bot", count),
            "anonymous_id": identifiers("b", number),
            "user_agent": agents,
        }
        for name, column in changed.items():
            rows = self._set(rows, name, column)
        for name in ("customer_id", "email", "click_id"):
            rows = self._set(rows, name, pa.nulls(count, pa.string()))
        self.extra.append(rows)
        self._tell(rows, "bot", "bot")

    def _copy(self, kind: str) -> None:
        """Add exact copies, or older versions that know less."""
        rows = plain(self.table.take(self._pick(kind, 1)))
        if kind == "version" and rows.num_rows:
            clock = "updated_at" if "updated_at" in rows.column_names else "received_at"
            millis = whole(rows[clock]).cast(pa.int64()).to_numpy()
            rows = self._set(rows, clock, pa.array(millis - 1_000).cast(rows[clock].type))
            for name in UNKNOWN_BEFORE[self.name]:
                rows = self._set(rows, name, pa.nulls(rows.num_rows, rows[name].type))
        self.extra.append(rows)
        self._tell(rows, kind, "duplicate")

    def _add_flawed(self, flaw: Flaw, place: int) -> None:
        """Add rows that break one rule."""
        if flaw.kind == "missing_rate" and self.name == ONE_CURRENCY_ONLY and self.currencies == 1:
            return
        least = int(place < SMALL_TABLE_SHARE * self.table.num_rows - 1)
        rows = plain(self.table.take(self._pick(flaw.kind, least)))
        if not rows.num_rows:
            return
        if len(self.contract.key) == 1:
            rows = self._set(
                rows, self.contract.key[0], self._keys(flaw.kind, rows.num_rows, place)
            )
        good = rows
        for name, change in flaw.changes.items():
            rows = self._set(rows, name, changed_column(good, name, change, flaw.kind))
        (self.text if flaw.kind == "malformed" else self.extra).append(rows)
        self._tell(rows, flaw.kind, "quarantined", flaw.code)

    def _reorder(self) -> None:
        rows = self._pick("reordered", 2)
        index = np.arange(self.table.num_rows)
        index[rows] = np.roll(rows, 1)
        self.table = self.table.take(index)
        self._tell(self.table.select(self.contract.key).take(rows), "reordered", "staged")

    @property
    def chunk_number(self) -> int:
        """First number of the chunk's ids."""
        return 0 if self.chunk == GLOBAL_CHUNK else self.chunk * CHUNK_STEP

    def _keys(self, kind: str, count: int, place: int = 0) -> pa.Array:
        """Return keys that no good row has."""
        prefix = f"x{DIRT_KINDS.index(kind):02d}{place}-"
        return identifiers(prefix, self.chunk_number + np.arange(count))


def dirty_rows(
    contract: Table, rows: pa.Table, kind: str, bucket: str, code: str | None = None
) -> pa.Table:
    """Return rows of the truth's `dirty_rows`.

    Parameters
    ----------
    contract
        Table that the rows stand in.
    rows
        The rows, their key columns at least.
    kind, bucket, code
        Kind of dirt, the bucket they must end in, and the reason code in quarantine.
    """
    count = rows.num_rows
    return pa.table(
        {
            "source_name": pa.array([contract.source] * count, pa.string()),
            "table_name": pa.array([contract.name] * count, pa.string()),
            "row_key": row_keys(rows, contract.key),
            "dirt_kind": pa.array([kind] * count, pa.string()),
            "expected_bucket": pa.array([bucket] * count, pa.string()),
            "expected_reason_code": pa.array([code] * count, pa.string()),
        }
    )


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def plain(table: pa.Table) -> pa.Table:
    """Write out dictionaries, which small tables do not need."""
    fields = [
        pa.field(
            field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        )
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def changed_column(
    rows: pa.Table,
    name: str,
    change: Any,  # noqa: ANN401 - a value of any column
    kind: str,
) -> pa.Array:
    """Return a column with each value replaced as a flaw says.

    Parameters
    ----------
    rows
        Rows to spoil.
    name
        The column.
    change
        A constant or one of the words of this module.
    kind
        Kind of dirt: malformed values are text whatever the column's type.
    """
    old, count = whole(rows[name]), rows.num_rows
    if kind == "malformed":
        return pa.array([change] * count, pa.string())
    if isinstance(change, str) and change.startswith(BEFORE):
        millis = whole(rows[change.removeprefix(BEFORE)]).cast(pa.int64())
        return pc.subtract(millis, MILLIS_PER_DAY).cast(old.type)
    if change == AS_LOADED:
        return whole(rows["_loaded_at"])
    one = pa.scalar(1, old.type) if change in {NEGATED, ONE_MORE} else None
    if change == NEGATED:
        return pc.negate(pc.max_element_wise(old, one)).cast(old.type)
    if change == ONE_MORE:
        return pc.add(old, one).cast(old.type)
    constant = {NULL: None, LONG_AGO: 0}.get(change, change)
    return pa.array([constant] * count, old.type)


def row_keys(rows: pa.Table, key: tuple[str, ...]) -> pa.Array:
    """Write the keys of rows as the warehouse does: parts joined by a bar, nulls empty."""
    parts = []
    for name in key:
        column = whole(rows[name])
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ms")).cast(pa.timestamp("s"))
        parts.append(column.cast(pa.string()))
    if len(parts) == 1:
        return parts[0]
    filled = [pc.fill_null(part, "") for part in parts]
    return pc.binary_join_element_wise(*filled, "|")
