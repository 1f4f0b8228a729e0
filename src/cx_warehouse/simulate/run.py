"""Runs a simulation: chunk by chunk, table by table, into a lake and its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.contract import Table, raw_tables
from cx_warehouse.settings import CxError
from cx_warehouse.simulate import planted
from cx_warehouse.simulate.chunk import draw_chunk
from cx_warehouse.simulate.contacts import draw_tickets, reviews_table, surveys_table, tickets_table
from cx_warehouse.simulate.dirt import Spoiler, dirty_rows
from cx_warehouse.simulate.events import events_table
from cx_warehouse.simulate.layout import paid_clicks
from cx_warehouse.simulate.mails import (
    campaigns_table,
    draw_messages,
    email_events_table,
    landing_seconds,
)
from cx_warehouse.simulate.marketing import (
    ad_spend_table,
    draw_exposures,
    experiments_table,
    exposures_table,
    referrals_table,
)
from cx_warehouse.simulate.randomness import GLOBAL_CHUNK, stream
from cx_warehouse.simulate.storefront import (
    customers_table,
    deliveries_table,
    items_table,
    moved_accounts,
    orders_table,
    products_table,
    promotions_table,
    rates_table,
    refunds_table,
)
from cx_warehouse.simulate.truth import chunk_truth, world_truth
from cx_warehouse.simulate.world import World, make_world
from cx_warehouse.simulate.writer import TruthWriter, write_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cx_warehouse.simulate.arrays import Ints
    from cx_warehouse.simulate.config import Config

LAKE: Final = "lake"
TRUTH: Final = "truth"


@dataclass(frozen=True)
class Outcome:
    """What a simulation wrote.

    Attributes
    ----------
    rows
        Rows of each raw table, dirt included.
    truth_rows
        Rows of each table of the truth.
    """

    lake: Path
    truth: Path
    rows: dict[str, int]
    truth_rows: dict[str, int]


class Simulation:
    """Writes one simulation."""

    def __init__(self, config: Config, out: Path) -> None:
        self.config = config
        self.world: World = make_world(config)
        self.lake, self.truth_dir = out / LAKE, out / TRUTH
        self.contracts: dict[str, Table] = {f"{t.source}.{t.name}": t for t in raw_tables()}
        self.rows = dict.fromkeys(self.contracts, 0)
        for folder in (self.lake, self.truth_dir):
            if folder.exists() and any(folder.iterdir()):
                message = f"--out: {folder} is not empty; name another folder or remove it first"
                raise CxError(message)

    def run(self, tell: Callable[[int], None]) -> Outcome:
        """Simulate everything.

        Parameters
        ----------
        tell
            Called with the number of customers done after each chunk.
        """
        clicks = np.zeros((self.config.days, len(planted.TOUCHES)), np.int64)
        with TruthWriter(self.truth_dir) as truth:
            for name, table in world_truth(self.world).items():
                truth.append(name, table)
            for number, customers in enumerate(self.config.chunk_sizes):
                clicks += self._chunk(number, customers, truth)
                tell(customers)
            self._common_tables(clicks, truth)
            return Outcome(self.lake, self.truth_dir, self.rows, truth.rows)

    def _chunk(self, number: int, customers: int, truth: TruthWriter) -> Ints:
        chunk = draw_chunk(self.world, number, customers)
        exposures, landing = draw_exposures(chunk), landing_seconds(chunk)
        messages = draw_messages(chunk)
        for name, table in chunk_truth(chunk, exposures, messages, landing).items():
            truth.append(name, table)
        tickets = draw_tickets(chunk)
        makers: dict[str, Callable[[], pa.Table]] = {
            "storefront.orders": lambda: orders_table(chunk),
            "storefront.order_items": lambda: items_table(chunk),
            "storefront.customers": lambda: customers_table(chunk),
            "storefront.refunds": lambda: refunds_table(chunk),
            "storefront.deliveries": lambda: deliveries_table(chunk),
            "web.events": lambda: events_table(chunk),
            "experiments.exposures": lambda: exposures_table(chunk, exposures, landing),
            "support.tickets": lambda: tickets_table(chunk, tickets),
            "feedback.nps_surveys": lambda: surveys_table(chunk, tickets),
            "feedback.reviews": lambda: reviews_table(chunk),
            "email.email_events": lambda: email_events_table(chunk, messages),
            "marketing.referrals": lambda: referrals_table(chunk),
        }
        for name, make in makers.items():
            self._write(name, make(), number, truth)
        # An account whose address changed stands in two versions.
        moved = pa.table({"customer_id": moved_accounts(chunk)})
        contract = self.contracts["storefront.customers"]
        truth.append("dirty_rows", dirty_rows(contract, moved, "version", "duplicate"))
        return paid_clicks(self.world, chunk.visits, chunk.details)

    def _common_tables(self, clicks: Ints, truth: TruthWriter) -> None:
        """Write what there is one of for the whole shop."""
        tables = {
            "storefront.products": products_table(self.world),
            "storefront.promotions": promotions_table(self.world),
            "storefront.exchange_rates": rates_table(self.world),
            "experiments.experiments": experiments_table(self.world),
            "email.campaigns": campaigns_table(self.world),
            "marketing.ad_spend": ad_spend_table(self.world, clicks),
        }
        for name, table in tables.items():
            self._write(name, table, GLOBAL_CHUNK, truth)

    def _write(self, name: str, table: pa.Table, chunk: int, truth: TruthWriter) -> None:
        """Spoil a table and write its files and the truth about its dirt."""
        contract = self.contracts[name]
        rng = stream(self.config.seed, chunk, f"dirt {name}")
        rates, currencies = self.config.dirt, len(self.config.currencies)
        spoiled = Spoiler(contract, table, rates, rng, chunk, currencies).spoil()
        part = "all" if chunk == GLOBAL_CHUNK else f"{chunk:05d}"
        folder = self.lake / contract.source / contract.name
        for ending, rows in spoiled.files.items():
            write_table(folder / f"part-{part}{ending}.parquet", rows)
            self.rows[name] += rows.num_rows
        for rows in spoiled.truth:
            truth.append("dirty_rows", rows)


def simulate(config: Config, out: Path, tell: Callable[[int], None] = lambda _: None) -> Outcome:
    """Write a raw lake to `out/lake` and the truth about it to `out/truth`.

    Parameters
    ----------
    config
        What to simulate; the same configuration gives the same bytes.
    out
        A folder in which neither exists yet.
    tell
        Called with the number of customers done after each chunk.

    Returns
    -------
    Outcome
        Where everything is and how many rows it has.

    Raises
    ------
    CxError
        If `out` holds a lake already.
    """
    return Simulation(config, out).run(tell)
