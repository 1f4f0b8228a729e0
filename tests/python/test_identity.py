"""A merge of persons reaches every mart, leaves no former key unresolved, and can be withdrawn.

Anna has two accounts and ordered as a guest; a late file says so. Bob has nothing to do with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from conftest import PROJECT, add_to_seed, copy_project, order, write_lake, write_table

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import BuildLake, Warehouse

ANNA, HOME, WORK, OLD = "c-anna", "anna@home.example", "anna@work.example", "anna@old.example"
SECOND, BOB = "c-second", "c-bob"
LATE = "2024-06-01"


def event(event_id: str, device: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "anonymous_id": device,
        "occurred_at": f"{day} 10:00:00",
        "event_name": "product_view",
        **more,
    }


def ticket(ticket_id: str, day: str, **more: Any) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "created_at": f"{day} 09:00:00", "channel": "email", **more}


FIRST = {
    "storefront/customers": [
        {"customer_id": customer, "email": email, "created_at": "2024-01-01"}
        for customer, email in ((ANNA, HOME), (SECOND, WORK), (BOB, "bob@x.example"))
    ],
    "storefront/orders": [
        order("o-home", "10.00", customer_id=ANNA),
        order("o-work", "20.00", customer_id=SECOND, anonymous_id="phone"),
        order("o-guest", "30.00", email=OLD),
        order("o-bob", "40.00", customer_id=BOB),
    ],
    "storefront/refunds": [
        {"refund_id": "r-1", "order_id": "o-work", "refunded_at": "2024-03-05", "amount": "5.00"}
    ],
    "web/events": [
        event("e-1", "phone", "2024-03-01", customer_id=SECOND),
        event("e-2", "phone", "2024-03-02"),
        event("e-3", "tablet", "2024-03-03"),
        event("e-4", "laptop", "2024-03-03", customer_id=BOB),
    ],
    "support/tickets": [ticket("t-1", "2024-03-04", customer_id=SECOND)],
    "feedback/nps_surveys": [
        {"survey_id": "s-1", "email": OLD, "sent_at": "2024-03-09", "responded_at": "2024-03-10",
         "score": 9, "survey_trigger": "post_purchase"}
    ],
}  # fmt: skip
# a ticket of one account with the other's address, an order with the guest's, a login
LATE_FILES = {
    "support/tickets": [ticket("t-2", LATE, customer_id=ANNA, email=WORK)],
    "storefront/orders": [
        order("o-late", "50.00", customer_id=ANNA, email=OLD, ordered_at=f"{LATE} 12:00:00")
    ],
    "web/events": [event("e-5", "tablet", LATE, customer_id=ANNA)],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("lake"), FIRST)


@pytest.fixture(scope="module")
def before(build_lake: BuildLake, lake: Path) -> Warehouse:
    return build_lake(lake)


@pytest.fixture(scope="module")
def merged(
    build_lake: BuildLake,
    lake: Path,
    before: Warehouse,  # noqa: ARG001 (files are added after it)
) -> Warehouse:
    """Build again, after the late files have come."""
    for table, rows in LATE_FILES.items():
        write_table(lake, table, rows)
    return build_lake(lake)


@pytest.fixture(scope="module")
def parted(
    build_lake: BuildLake, lake: Path, merged: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Build after the links that came late are withdrawn, as the mart lists them."""
    links = merged.query(f"""
        select identifier_kind, identifier, linked_kind, linked_identifier
        from marts.dim_identity_links
        where linked_kind is not null and (valid_from >= '{LATE}' or identifier = 'tablet')
    """)
    assert len(links) == 3
    project = copy_project(tmp_path_factory.mktemp("project"))
    add_to_seed(project, "identity_exclusions", *(",".join(link) for link in links))
    return build_lake(lake, project=project)


def key(warehouse: Warehouse, identifier_id: str) -> str:
    """Return the person of today whom a key or an identifier's hash stands for."""
    [(person_id,)] = warehouse.query(
        "select distinct person_id from marts.dim_identity_links"
        f" where identifier_id = {identifier_id}"
    )
    return str(person_id)


def key_of(warehouse: Warehouse, kind: str, identifier: str) -> str:
    return key(warehouse, f"left(md5('{kind}:{identifier}'), 20)")


def persons(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    found = warehouse.query(
        "select person_id, person_kind, customer_ids, net_revenue from marts.dim_persons"
    )
    return {person_id: tuple(rest) for person_id, *rest in found}


def unknown_keys(warehouse: Warehouse) -> dict[str, int]:
    """Count, by column of a mart, the persons whom dim_persons does not know."""
    columns = warehouse.query("""
        select table_name, column_name from duckdb_columns()
        where schema_name = 'marts' and column_name like '%person_id'
    """)
    assert len(columns) > 7
    found = {
        f"{table}.{column}": warehouse.query(
            f"select count(*) from marts.{table}"
            f" where {column} not in (select person_id from marts.dim_persons)"
        )[0][0]
        for table, column in columns
    }
    return {name: count for name, count in found.items() if count}


def test_a_merge_ends_the_keys_of_all_but_one_and_each_resolves_to_it(before, merged):
    """Scenarios: late merge (the second account), late link (the guest, the tablet's visitor)."""
    anna = key_of(before, "customer_id", ANNA)
    ended = {
        key_of(before, "customer_id", SECOND),
        *(person_id for person_id, (kind, *_) in persons(before).items() if kind == "guest"),
        key_of(before, "anonymous_id", "tablet"),
    }
    assert len(ended) == 3
    assert set(persons(before)) - set(persons(merged)) == ended
    assert {key(merged, f"'{former}'") for former in ended} == {anna}
    for former in persons(before):
        assert key(merged, f"'{former}'") in persons(merged)


def test_all_that_was_of_the_merged_persons_is_of_the_one(before, merged):
    found = {str(rest[1]): rest[2] for rest in persons(merged).values()}
    assert found == {str([ANNA, SECOND]): 10 + 20 - 5 + 30 + 50, str([BOB]): 40}
    bob = key_of(before, "customer_id", BOB)
    assert persons(merged)[bob] == persons(before)[bob]
    anna = key_of(merged, "customer_id", ANNA)
    expected = {
        "fct_orders": 4,
        "fct_sessions": 4,
        "fct_support_tickets": 2,
        "fct_nps_responses": 1,
    }
    for mart, rows in expected.items():
        sql = f"select count(*) from marts.{mart} where person_id = '{anna}'"
        assert merged.query(sql) == [(rows,)], mart


@pytest.mark.parametrize("build", ["before", "merged", "parted"])
def test_no_mart_holds_the_key_of_a_person_who_is_none(request, build):
    assert unknown_keys(request.getfixturevalue(build)) == {}


def test_a_withdrawn_merge_gives_each_person_the_former_key_back(before, parted):
    """Scenario: link withdrawn. What came late stays with the account that it names."""
    expected = persons(before)
    kind, customer_ids, revenue = expected[key_of(before, "customer_id", ANNA)]
    expected[key_of(before, "customer_id", ANNA)] = (kind, customer_ids, revenue + 50)
    assert persons(parted) == expected


SCENARIOS = [
    "chain",
    "fan-in",
    "diamond",
    "late link",
    "late merge",
    "shared device",
    "reassigned e-mail",
    "shared office e-mail",
    "guest who registers later",
    "store customer who goes online",
    "logged-out return",
    "link withdrawn",
]


def test_each_scenario_has_unit_tests_and_the_page_lists_them():
    stated: dict[str, set[str]] = {}
    for file in (PROJECT / "models").rglob("_*__unit_tests.yml"):
        for test in yaml.safe_load(file.read_text())["unit_tests"]:
            scenarios = re.match(r"Scenario: ([^.]*)\.", test.get("description", ""))
            for scenario in scenarios[1].split(", ") if scenarios else ():
                stated.setdefault(scenario, set()).add(test["name"])
    listed: dict[str, set[str]] = {}
    page = (PROJECT / "docs" / "identity.md").read_text()
    for scenarios, tests in re.findall(r"^\| ([^|]*) \| (`[^|]*`) \|$", page, re.MULTILINE):
        for scenario in scenarios.split(", "):
            listed[scenario] = set(re.findall(r"`(\w+)`", tests))
    assert listed == stated
    assert list(listed) == SCENARIOS
