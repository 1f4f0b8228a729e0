"""Connected components of customers and e-mails: whoever is linked, however far, is one person.

The labels are compared with those of a union-find written here, on random graphs as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from cx_warehouse.identity.components import connected_components

if TYPE_CHECKING:
    from collections.abc import Iterable

    Link = tuple[str, str]
    Identifier = tuple[str, str]


def edge_table(links: Iterable[Link]) -> pa.Table:
    customers, emails = zip(*links, strict=True) if (links := list(links)) else ((), ())
    return pa.table(
        {
            "customer_id": pa.array(customers, pa.string()),
            "email_hash": pa.array(emails, pa.string()),
        }
    )


def groups(table: pa.Table) -> set[frozenset[Identifier]]:
    """Identifiers by component, each named by its smallest customer."""
    found: dict[str, set[Identifier]] = {}
    for row in table.to_pylist():
        identifier = (row["identifier_kind"], row["identifier"])
        found.setdefault(row["smallest_customer_id"], set()).add(identifier)
    for smallest, group in found.items():
        assert smallest == min(name for kind, name in group if kind == "customer_id")
    return {frozenset(group) for group in found.values()}


def union_find(links: Iterable[Link]) -> set[frozenset[Identifier]]:
    parents: dict[Identifier, Identifier] = {}

    def root(identifier: Identifier) -> Identifier:
        parents.setdefault(identifier, identifier)
        while parents[identifier] != identifier:
            parents[identifier] = parents[parents[identifier]]
            identifier = parents[identifier]
        return identifier

    for customer, email in links:
        parents[root(("customer_id", customer))] = root(("email_hash", email))
    found: dict[Identifier, set[Identifier]] = {}
    for identifier in list(parents):
        found.setdefault(root(identifier), set()).add(identifier)
    return {frozenset(group) for group in found.values()}


def of(*identifiers: str) -> frozenset[Identifier]:
    """Short form: c1 is a customer, e1 an e-mail."""
    return frozenset(
        ("customer_id" if name.startswith("c") else "email_hash", name) for name in identifiers
    )


@pytest.mark.parametrize(
    ("links", "persons"),
    [
        pytest.param([("c1", "e1")], {of("c1", "e1")}, id="one link"),
        pytest.param(
            [("c1", "e1"), ("c2", "e1"), ("c2", "e2"), ("c3", "e2")],
            {of("c1", "c2", "c3", "e1", "e2")},
            id="chain",
        ),
        pytest.param(
            [("c1", "e1"), ("c2", "e1"), ("c3", "e1")],
            {of("c1", "c2", "c3", "e1")},
            id="fan-in",
        ),
        pytest.param(
            [("c1", "e1"), ("c1", "e2"), ("c2", "e1"), ("c2", "e2")],
            {of("c1", "c2", "e1", "e2")},
            id="diamond",
        ),
        pytest.param(
            [("c1", "e1"), ("c2", "e2")],
            {of("c1", "e1"), of("c2", "e2")},
            id="two persons",
        ),
        pytest.param(
            [("c1", "e1"), ("c2", "e2"), ("c1", "e2")],
            {of("c1", "c2", "e1", "e2")},
            id="late link",
        ),
        pytest.param([("c1", "e1"), ("c1", "e1")], {of("c1", "e1")}, id="same link twice"),
    ],
)
def test_who_is_linked_is_one_person(links, persons):
    assert groups(connected_components(edge_table(links))) == persons


def test_nobody_is_linked_by_nothing():
    table = connected_components(edge_table([]))
    assert table.num_rows == 0
    assert table.column_names == ["identifier_kind", "identifier", "smallest_customer_id"]


def test_a_customer_and_an_email_of_the_same_text_are_two_identifiers():
    found = groups(connected_components(edge_table([("x", "y"), ("y", "z")])))
    assert found == {
        frozenset({("customer_id", "x"), ("email_hash", "y")}),
        frozenset({("customer_id", "y"), ("email_hash", "z")}),
    }


def test_each_identifier_has_one_row_and_the_order_of_links_does_not_matter():
    links = [("c1", "e1"), ("c2", "e1"), ("c2", "e2"), ("c9", "e9"), ("c1", "e1")]
    table = connected_components(edge_table(links))
    assert table.num_rows == len(set(zip(*table.to_pydict().values(), strict=True))) == 6
    assert groups(connected_components(edge_table(links[::-1]))) == groups(table)


def test_links_in_chunks_are_read_like_one_table():
    links = [("c1", "e1"), ("c2", "e1"), ("c3", "e3"), ("c2", "e3")]
    chunks = pa.concat_tables([edge_table(links[:2]), edge_table(links[2:])])
    assert groups(connected_components(chunks)) == {of("c1", "c2", "c3", "e1", "e3")}


@pytest.mark.parametrize("seed", range(5))
def test_random_links_give_the_components_of_a_union_find(seed):
    # As many links as identifiers of a kind: many small components beside a large one.
    rng = np.random.default_rng(seed)
    links = [(f"c{a}", f"e{b}") for a, b in rng.integers(0, 2000, size=(1500, 2))]
    found = groups(connected_components(edge_table(links)))
    assert found == union_find(links)
    assert len(found) > 100


def test_a_chain_of_10_000_accounts_is_one_person():
    chain = [(f"c{n}", f"e{n + step}") for n in range(10_000) for step in (0, 1)]
    (person,) = groups(connected_components(edge_table(chain)))
    assert len(person) == 20_001


def test_a_hub_of_100_000_emails_is_one_person():
    hub = [("c1", f"e{n}") for n in range(100_000)]
    table = connected_components(edge_table(hub))
    assert len(set(table["smallest_customer_id"].to_pylist())) == 1
    assert table.num_rows == 100_001
