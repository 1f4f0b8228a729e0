"""Turn the Online Retail II workbook (one table of invoice lines) into a raw lake in contract form.

Every line of the source ends in exactly one class of `LINE_CLASSES`, and the run stops unless lines
and money of the classes equal both the source and what was written. The mapping is explained in
the README beside this file.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SHIPPING_CODES: Final = ("POST", "DOT", "C2", "C3")
DISCOUNT_CODE: Final = "D"
MANUAL_CODE: Final = "M"
# What the shop owes banks and marketplaces, samples it gave away and corrections of its ledger.
LEDGER_CODES: Final = ("ADJUST", "ADJUST2", "AMAZONFEE", "BANK CHARGES", "B", "S")

# Class of a source line -> where it lands in the lake.
LINE_CLASSES: Final = {
    "order_line": "order_items",
    "shipping": "orders.shipping_total",
    "bad_debt": "orders and order_items (negative: for quarantine)",
    "credit_matched": "refunds",
    "credit_without_customer": "refunds (no such order: for quarantine)",
    "credit_before_data": "left out",
    "ledger": "left out",
    "test": "left out",
    "stock_entry": "left out",
}
ORDER_CLASSES: Final = ("order_line", "shipping", "bad_debt")
REFUND_CLASSES: Final = ("credit_matched", "credit_without_customer")

# PADS cost 0.001 a piece, so pence are not enough.
MONEY: Final = "decimal(18, 3)"
MONEY_TYPE: Final = pa.decimal128(18, 3)
TIME_TYPE: Final = pa.timestamp("us", tz="UTC")
REFUND_SCHEMA: Final = pa.schema(
    [
        ("refund_id", pa.string()),
        ("order_id", pa.string()),
        ("order_item_id", pa.string()),
        ("refunded_at", TIME_TYPE),
        ("amount", MONEY_TYPE),
        ("shipping_amount", MONEY_TYPE),
        ("quantity", pa.int64()),
        ("reason", pa.string()),
    ],
)


class AccountError(Exception):
    """A line or a penny of the source is missing from the lake, or counted twice."""


@dataclass
class Sale:
    """A line that was sold, and how much of it has not been credited yet."""

    order_id: str
    order_item_id: str
    ordered_at: datetime
    price: Decimal
    quantity_left: int


@dataclass
class Order:
    """An order of a known customer, and how much of its shipping has not been credited yet."""

    order_id: str
    ordered_at: datetime
    shipping_left: Decimal


@dataclass
class Ledger:
    """What each customer bought so far, oldest first, as credit notes eat into it."""

    sales: dict[tuple[str, str], list[Sale]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Credit:
    """A line of a credit note; `amount` is what was paid back, negative where it was taken back."""

    credit_id: str
    invoice: str
    stock_code: str
    customer_id: str | None
    credited_at: datetime
    quantity: int
    price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class AccountRow:
    """One class of source lines.

    Attributes
    ----------
    line_class
        Key of `LINE_CLASSES`.
    lands_in
        Where the lines are found in the lake.
    lines
        Number of source lines.
    amount
        Sum of quantity times price in GBP, credits negative.
    """

    line_class: str
    lands_in: str
    lines: int
    amount: Decimal


def load_source(connection: duckdb.DuckDBPyConnection, source: Path, customers: int | None) -> None:
    """Create table `source_lines`: the source, typed, with an id per line.

    Parameters
    ----------
    connection
        In-memory database that does the work.
    source
        Parquet file of the invoice lines.
    customers
        About how many customers to keep, the same ones at every call, and the like share of the
        invoices without a customer; all of them if None.
    """
    connection.execute(
        f"""
        create table all_lines as
        select
            file_row_number,
            Invoice as invoice,
            Invoice || '-' || row_number() over (
                partition by Invoice order by file_row_number
            ) as line_id,
            upper(trim(StockCode)) as stock_code,
            nullif(trim(Description), '') as description,
            Quantity as quantity,
            cast(InvoiceDate as timestamp) as invoiced_at,
            cast(Price as {MONEY}) as price,
            cast(Quantity * cast(Price as {MONEY}) as {MONEY}) as amount,
            cast(cast("Customer ID" as bigint) as varchar) as customer_id,
            nullif(Country, 'Unspecified') as country
        from read_parquet(?, file_row_number = true)
        """,
        [str(source)],
    )
    if customers is None:
        connection.execute("create table source_lines as from all_lines")
        return
    # md5 rather than the engine's hash(): the choice must survive a new version of the engine.
    connection.execute(
        """
        create table source_lines as
        with kept_customers as (
            select customer_id
            from all_lines
            where customer_id is not null
            group by customer_id
            order by md5(customer_id)
            limit $customers
        ),
        kept_invoices as (
            select invoice
            from all_lines
            where customer_id is null
            group by invoice
            order by md5(invoice)
            limit cast((
                select count(distinct invoice) filter (where customer_id is null)
                    * $customers / count(distinct customer_id)
                from all_lines
            ) as bigint)
        )
        select *
        from all_lines
        where
            customer_id in (from kept_customers)
            or (customer_id is null and invoice in (from kept_invoices))
        """,
        {"customers": customers},
    )


def classify_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Create table `lines`: the source with its class, `credit` where matching decides it."""
    connection.execute(
        """
        create table lines as
        with first_look as (
            select
                *,
                case
                    when starts_with(invoice, 'A') then 'bad_debt'
                    when starts_with(stock_code, 'TEST0') then 'test'
                    when list_contains($ledger, stock_code) then 'ledger'
                    when starts_with(invoice, 'C') or stock_code = $discount then 'credit'
                    when quantity > 0 then 'charge'
                    else 'stock_entry'
                end as first_class,
                min(invoiced_at) over (partition by invoice) as ordered_at,
                max(first_class = 'charge' and price > 0) over (
                    partition by invoice
                ) as is_order
            from source_lines
        )
        select
            * exclude (first_class, is_order),
            case
                when first_class <> 'charge' then first_class
                -- A free line counts where something was sold beside it; alone it is a stock count.
                when not is_order then 'stock_entry'
                when list_contains($shipping, stock_code) then 'shipping'
                else 'order_line'
            end as line_class
        from first_look
        """,
        {
            "ledger": list(LEDGER_CODES),
            "discount": DISCOUNT_CODE,
            "shipping": list(SHIPPING_CODES),
        },
    )


def read_ledger(connection: duckdb.DuckDBPyConnection) -> Ledger:
    """Read what known customers bought, oldest first."""
    ledger = Ledger()
    for customer_id, stock_code, *sale in connection.execute(
        """
        select customer_id, stock_code, invoice, line_id, ordered_at, price, quantity
        from lines
        where line_class = 'order_line' and customer_id is not null
        order by ordered_at, file_row_number
        """,
    ).fetchall():
        ledger.sales[customer_id, stock_code].append(Sale(*sale))
    for customer_id, *order in connection.execute(
        """
        select
            customer_id,
            invoice,
            ordered_at,
            coalesce(sum(amount) filter (where line_class = 'shipping'), 0) as shipping
        from lines
        where line_class in ('order_line', 'shipping') and customer_id is not null
        group by customer_id, invoice, ordered_at
        order by ordered_at, min(file_row_number)
        """,
    ).fetchall():
        ledger.orders[customer_id].append(Order(*order))
    return ledger


def read_credits(connection: duckdb.DuckDBPyConnection) -> list[Credit]:
    """Read the lines of credit notes in the order in which they were written."""
    rows = connection.execute(
        """
        select line_id, invoice, stock_code, customer_id, invoiced_at, -quantity, price, -amount
        from lines
        where line_class = 'credit'
        order by invoiced_at, file_row_number
        """,
    ).fetchall()
    return [Credit(*row) for row in rows]


def spread(credit: Credit, sales: list[Sale]) -> list[tuple[Sale, int]]:
    """Share a credit out over sales, the first ones first; empty if they do not suffice."""
    parts = []
    missing = credit.quantity
    for sale in sales:
        quantity = min(missing, sale.quantity_left)
        if quantity > 0:
            parts.append((sale, quantity))
            missing -= quantity
    return parts if missing == 0 else []


def match_sales(credit: Credit, ledger: Ledger) -> list[tuple[Sale, int]]:
    """Find the sale that a credit takes back: the latest earlier one of that customer and product.

    One sale at the same price is better than one at another price, and one sale better than
    several. A manual line names no product, so only the price says that it is the same thing.
    """
    if credit.customer_id is None or credit.quantity <= 0:
        return []
    earlier = [
        sale
        for sale in reversed(ledger.sales[credit.customer_id, credit.stock_code])
        if sale.ordered_at <= credit.credited_at and sale.quantity_left > 0
    ]
    same_price = [sale for sale in earlier if sale.price == credit.price]
    candidates = [same_price] if credit.stock_code == MANUAL_CODE else [same_price, earlier]
    for sales in candidates:
        for sale in sales:
            if sale.quantity_left >= credit.quantity:
                return [(sale, credit.quantity)]
    for sales in candidates:
        if parts := spread(credit, sales):
            return parts
    return []


def match_order(credit: Credit, ledger: Ledger, shipping: Decimal) -> Order | None:
    """Find the latest earlier order of the customer with at least so much shipping left."""
    if credit.customer_id is None:
        return None
    for order in reversed(ledger.orders[credit.customer_id]):
        if order.ordered_at <= credit.credited_at and order.shipping_left >= shipping:
            return order
    return None


def refund_row(credit: Credit, order_id: str, reason: str) -> dict[str, object]:
    """Make a row of refunds for a whole credit, without a line of the order."""
    return {
        "refund_id": credit.credit_id,
        "order_id": order_id,
        "order_item_id": None,
        "refunded_at": credit.credited_at,
        "amount": credit.amount,
        "shipping_amount": None,
        "quantity": None,
        "reason": reason,
    }


def refunds_of_credit(credit: Credit, ledger: Ledger) -> Iterator[dict[str, object]]:
    """Yield the refunds that a credit of a known customer becomes; none if nothing matches."""
    if credit.stock_code == DISCOUNT_CODE:
        if order := match_order(credit, ledger, Decimal(0)):
            yield refund_row(credit, order.order_id, "discount")
        return
    if credit.stock_code in SHIPPING_CODES:
        if order := match_order(credit, ledger, credit.amount):
            order.shipping_left -= credit.amount
            row = refund_row(credit, order.order_id, "shipping")
            yield row | {"shipping_amount": credit.amount}
        return
    reason = "manual" if credit.stock_code == MANUAL_CODE else "return"
    parts = match_sales(credit, ledger)
    for number, (sale, quantity) in enumerate(parts, start=1):
        sale.quantity_left -= quantity
        suffix = f"-{number}" if len(parts) > 1 else ""
        yield refund_row(credit, sale.order_id, reason) | {
            "refund_id": credit.credit_id + suffix,
            "order_item_id": sale.order_item_id,
            "quantity": quantity,
            "amount": quantity * credit.price,
        }


def match_credits(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Decide the class of every credit in `lines` and return the table of refunds."""
    ledger = read_ledger(connection)
    refunds: list[dict[str, object]] = []
    classes: list[tuple[str, str]] = []
    for credit in read_credits(connection):
        rows = list(refunds_of_credit(credit, ledger))
        if rows:
            line_class = "credit_matched"
        elif credit.customer_id is None:
            line_class = "credit_without_customer"
            rows = [refund_row(credit, f"unknown-{credit.invoice}", "unknown")]
        else:
            line_class = "credit_before_data"
        refunds += rows
        classes.append((credit.credit_id, line_class))
    ids, names = zip(*classes, strict=True) if classes else ((), ())
    credit_classes = pa.table(
        {"line_id": pa.array(ids, pa.string()), "line_class": pa.array(names, pa.string())},
    )
    connection.register("credit_classes", credit_classes)
    connection.execute(
        """
        update lines set line_class = credit_classes.line_class
        from credit_classes where lines.line_id = credit_classes.line_id
        """,
    )
    refunds.sort(key=lambda row: (row["refunded_at"], row["refund_id"]))
    return pa.Table.from_pylist(refunds, schema=REFUND_SCHEMA)


def with_utc(table: pa.Table) -> pa.Table:
    """Mark the times of a table as UTC; the source names no zone."""
    for index, name in enumerate(table.column_names):
        if pa.types.is_timestamp(table.schema.field(name).type):
            table = table.set_column(index, name, table.column(name).cast(TIME_TYPE))
    return table


def make_orders(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Sum up the invoices that sell something, and the bad debts, to orders."""
    return connection.execute(
        f"""
        select
            invoice as order_id,
            any_value(customer_id) as customer_id,
            ordered_at,
            any_value(country) as country,
            'GBP' as currency,
            cast(
                coalesce(sum(amount) filter (where line_class <> 'shipping'), 0) as {MONEY}
            ) as item_total,
            cast(0 as {MONEY}) as discount_total,
            cast(
                coalesce(sum(amount) filter (where line_class = 'shipping'), 0) as {MONEY}
            ) as shipping_total,
            cast(0 as {MONEY}) as other_total,
            cast(sum(amount) as {MONEY}) as order_total
        from lines
        where list_contains(?, line_class)
        group by invoice, ordered_at
        order by ordered_at, order_id
        """,
        [list(ORDER_CLASSES)],
    ).to_arrow_table()


def make_order_items(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """List the lines of the orders, repeated ones as often as the source has them."""
    return connection.execute(
        """
        select line_id as order_item_id, invoice as order_id, stock_code as product_id,
            quantity, price as unit_price
        from lines
        where line_class in ('order_line', 'bad_debt')
        order by ordered_at, order_id, file_row_number
        """,
    ).to_arrow_table()


def make_customers(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """List the customers; the first invoice stands for the unknown day of registration."""
    return connection.execute(
        """
        select
            customer_id,
            min(invoiced_at) as created_at,
            arg_min(country, file_row_number) as country
        from lines
        where customer_id is not null
        group by customer_id
        order by customer_id
        """,
    ).to_arrow_table()


def make_products(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """List the products of the orders under the name that they bear most often."""
    return connection.execute(
        """
        with names as (
            select stock_code, description, count(*) as line_count
            from lines
            where line_class in ('order_line', 'bad_debt')
            group by stock_code, description
        )
        select
            stock_code as product_id,
            coalesce(
                first(description order by line_count desc, description)
                    filter (where description is not null),
                stock_code
            ) as product_name
        from names
        group by stock_code
        order by stock_code
        """,
    ).to_arrow_table()


def make_account(connection: duckdb.DuckDBPyConnection) -> list[AccountRow]:
    """Count lines and money of every class."""
    sums = {
        line_class: (lines, amount)
        for line_class, lines, amount in connection.execute(
            "select line_class, count(*), sum(amount) from lines group by line_class",
        ).fetchall()
    }
    if unknown := sums.keys() - LINE_CLASSES.keys():
        message = f"lines in no class: {sorted(unknown)}"
        raise AccountError(message)
    return [
        AccountRow(line_class, lands_in, *sums.get(line_class, (0, Decimal(0))))
        for line_class, lands_in in LINE_CLASSES.items()
    ]


def check_account(
    account: list[AccountRow],
    connection: duckdb.DuckDBPyConnection,
    out: Path,
) -> None:
    """Compare the account with the source and with the files as they were written.

    Raises
    ------
    AccountError
        If a line or a tenth of a penny is missing on either side.
    """
    lines = {row.line_class: row.lines for row in account}
    amounts = {row.line_class: row.amount for row in account}

    def written(table: str, expression: str) -> object:
        path = out / "storefront" / table / f"{table}.parquet"
        return connection.execute(f"select {expression} from '{path}'").fetchone()

    source = connection.execute("select count(*), sum(amount) from source_lines").fetchone()
    if source is None:
        message = "the source has no lines"
        raise AccountError(message)
    comparisons = {
        "source lines": (sum(lines.values()), source[0]),
        "source money": (sum(amounts.values()), source[1]),
        "orders": (
            (sum(amounts[name] for name in ORDER_CLASSES),),
            written("orders", "coalesce(sum(order_total), 0)"),
        ),
        "order_items": (
            (lines["order_line"] + lines["bad_debt"], amounts["order_line"] + amounts["bad_debt"]),
            written("order_items", "count(*), coalesce(sum(quantity * unit_price), 0)"),
        ),
        "refunds": (
            (-sum(amounts[name] for name in REFUND_CLASSES),),
            written("refunds", "coalesce(sum(amount), 0)"),
        ),
        "stock entries carry no money": (amounts["stock_entry"], 0),
    }
    for name, (expected, found) in comparisons.items():
        if expected != found:
            message = f"{name}: the account says {expected}, found {found}"
            raise AccountError(message)


def write_table(out: Path, name: str, table: pa.Table) -> None:
    """Write one file per table, byte for byte the same for the same rows."""
    folder = out / "storefront" / name
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        with_utc(table),
        folder / f"{name}.parquet",
        compression="zstd",
        compression_level=9,
        row_group_size=100_000,
        store_schema=False,
    )


def make_lake(source: Path, out: Path, customers: int | None = None) -> list[AccountRow]:
    """Write the raw lake and return the account of the source's lines.

    Parameters
    ----------
    source
        Parquet file of the invoice lines.
    out
        Root of the raw lake; files of an earlier run are overwritten.
    customers
        About how many customers to keep; all of them if None.

    Returns
    -------
    list[AccountRow]
        One row per class, in the order of `LINE_CLASSES`.

    Raises
    ------
    AccountError
        If lines or money of source, account and lake differ.
    """
    with duckdb.connect() as connection:
        load_source(connection, source, customers)
        classify_lines(connection)
        refunds = match_credits(connection)
        write_table(out, "orders", make_orders(connection))
        write_table(out, "order_items", make_order_items(connection))
        write_table(out, "refunds", refunds)
        write_table(out, "customers", make_customers(connection))
        write_table(out, "products", make_products(connection))
        account = make_account(connection)
        check_account(account, connection, out)
    return account


def format_account(account: list[AccountRow]) -> str:
    """Lay the account out as a Markdown table with its total."""
    rows = [(row.line_class, row.lands_in, row.lines, row.amount) for row in account]
    total = ("**total**", "", sum(r.lines for r in account), sum(r.amount for r in account))
    head = "| class | lands in | lines | GBP |\n| --- | --- | ---: | ---: |"
    body = [
        f"| {name} | {lands_in} | {lines:,} | {amount:,.3f} |"
        for name, lands_in, lines, amount in [*rows, total]
    ]
    return "\n".join([head, *body])


def main() -> None:
    """Read the command line, write the lake and print the account."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="Parquet file of the lines")
    parser.add_argument("--out", type=Path, required=True, help="root of the raw lake to write")
    parser.add_argument("--customers", type=int, help="keep about so many customers")
    arguments = parser.parse_args()
    print(format_account(make_lake(arguments.source, arguments.out, arguments.customers)))


if __name__ == "__main__":
    main()
