"""Tickets, NPS and ad spend of a random lake, worked out again in plain Python."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from conftest import BuildLake, Dbt, Warehouse, order, write_lake

if TYPE_CHECKING:
    import pandas as pd

AS_OF = datetime(2024, 6, 10, 12, tzinfo=UTC)
RESPONSES_WINDOW = timedelta(days=14)
REPEAT_WINDOW = timedelta(days=7)
SLA_HOURS = {"chat": 0.5, "phone": 1.0, "email": 24.0, "social": 12.0, "other": 24.0}
MINUTE_CENTS = 60
TRIGGERS = ("relationship", "post_purchase", "post_support")
CUSTOMERS = {f"c-{n}": ("DE", "FR", None)[n % 3] for n in range(40)}
# customers of these numbers have bought; the country of that order comes before the account's
ORDER_COUNTRIES = {f"c-{n}": ("IT", None)[n // 4 % 2] for n in range(0, 40, 4)}
ORDER_CHANNELS = {name: ("store", "online")[n % 2] for n, name in enumerate(ORDER_COUNTRIES)}
# nobody visited before an order, so who bought online came directly
ACQUISITION_CHANNELS = {
    name: {"store": "store", "online": "direct"}[channel]
    for name, channel in ORDER_CHANNELS.items()
}
VISIT = {"event_id": "e", "anonymous_id": "d", "occurred_at": "2024-02-01", "event_name": "search"}


def text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(sep=" ")


def random_surveys(rng: random.Random) -> list[dict[str, Any]]:
    """Return surveys of four months to a few persons, so that many answer twice in a month."""
    surveys = []
    for n in range(1200):
        sent_at = AS_OF - timedelta(minutes=rng.randrange(120 * 24 * 60))
        responded_at = min(sent_at + timedelta(minutes=rng.randrange(1, 20 * 24 * 60)), AS_OF)
        is_answered = rng.random() < 0.6
        surveys.append(
            {
                "survey_id": f"s-{n:04}",
                "customer_id": rng.choice([*CUSTOMERS, None, None]),
                "survey_trigger": rng.choice(TRIGGERS),
                "sent_at": sent_at,
                "responded_at": responded_at if is_answered else None,
                "score": rng.choice([0, 3, 6, 7, 8, 9, 10, 10]) if is_answered else None,
                "comment": "a secret wish",
            }
        )
    return surveys


def random_tickets(rng: random.Random) -> list[dict[str, Any]]:
    tickets = []
    for n in range(600):
        created_at = AS_OF - timedelta(minutes=rng.randrange(120 * 24 * 60))
        answered_at = created_at + timedelta(minutes=rng.randrange(48 * 60))
        tickets.append(
            {
                "ticket_id": f"t-{n:04}",
                "customer_id": rng.choice([*CUSTOMERS, None]),
                "order_id": rng.choice([None, *(f"o-{name}" for name in ORDER_COUNTRIES)]),
                "created_at": created_at,
                "channel": rng.choice(list(SLA_HOURS)),
                "first_responded_at": answered_at if answered_at <= AS_OF else None,
                "agent_minutes": rng.choice([None, 0, 5, 12]),
                "subject": "a secret worry",
            }
        )
    return tickets


RNG = random.Random(20240610)
SURVEYS = random_surveys(RNG)
TICKETS = random_tickets(RNG)
SPEND = [
    ("2024-06-01", "Google", "brand", "10.10"),
    ("2024-06-01", "bing", "brand", "0.15"),
    ("2024-06-01", "skywriting", None, "7.00"),
    ("2024-06-11", "google", "brand", "99.00"),
]


def as_text(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: text(value)
            if isinstance(value, datetime)
            else value
            if value is None
            else str(value)
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    accounts = [
        {"customer_id": name, "country": country, "created_at": "2024-01-01"}
        for name, country in CUSTOMERS.items()
    ]
    orders = [
        order(
            f"o-{name}",
            customer_id=name,
            country=country,
            sales_channel=ORDER_CHANNELS[name],
            ordered_at="2024-02-01",
        )
        for name, country in ORDER_COUNTRIES.items()
    ]
    names = ("spend_date", "channel", "campaign", "spend")
    spend = [dict(zip(names, row, strict=True)) | {"currency": "EUR"} for row in SPEND]
    lake = write_lake(
        tmp_path_factory.mktemp("lake"),
        {
            "storefront/orders": orders,
            "storefront/customers": accounts,
            "support/tickets": as_text(TICKETS),
            "feedback/nps_surveys": as_text(SURVEYS),
            "marketing/ad_spend": spend,
            "web/events": [VISIT],
        },
    )
    return build_lake(lake, vars={"as_of": text(AS_OF)})


def adjusted_wald(promoters: int, passives: int, detractors: int) -> tuple[float, float]:
    """Return the interval of the score (Rocks 2016), in points.

    A promoter is 1, a passive 0, a detractor -1. With 3/4 promoters, 3/2 passives and 3/4
    detractors added, it is the mean of these numbers and z standard errors of it to both sides.
    """
    weights = {1: promoters + 0.75, 0: passives + 1.5, -1: detractors + 0.75}
    n = sum(weights.values())
    mean = sum(score * weight for score, weight in weights.items()) / n
    variance = sum(weight * (score - mean) ** 2 for score, weight in weights.items()) / n
    margin = 1.959964 * math.sqrt(variance / n)
    return max(-100.0, 100 * (mean - margin)), min(100.0, 100 * (mean + margin))


def points(score: int) -> int:
    return (score >= 9) - (score <= 6)


@pytest.mark.parametrize(
    ("counts", "interval"), [((50, 20, 30), (2.65, 36.18)), ((10, 0, 0), (47.5, 100.0))]
)
def test_the_check_values_hold_for_the_implementation_to_compare_with(
    counts: tuple[int, int, int], interval: tuple[float, float]
) -> None:
    assert adjusted_wald(*counts) == pytest.approx(interval, abs=0.005)


def expected_nps(
    tiers: dict[tuple[str, str], str],
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the rows of agg_nps by month, segment and value, from surveys and tiers of months."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for survey in SURVEYS:
        customer = survey["customer_id"]
        country = ORDER_COUNTRIES.get(customer) or CUSTOMERS.get(customer) or "unknown"
        month = survey["sent_at"].strftime("%Y-%m-01")
        month_before = (survey["sent_at"].replace(day=1) - timedelta(days=1)).strftime("%Y-%m-01")
        for segment in (
            ("all", "all"),
            ("survey_trigger", survey["survey_trigger"]),
            ("country", country),
            ("acquisition_channel", ACQUISITION_CHANNELS.get(customer, "unknown")),
            ("value_tier", tiers.get((customer, month_before), "unknown")),
        ):
            groups[(month, *segment)].append(survey)
    rows = {}
    for group, surveys in groups.items():
        newest: dict[Any, dict[str, Any]] = {}
        for survey in surveys:
            if survey["score"] is not None:
                person = survey["customer_id"] or survey["survey_id"]
                known = newest.setdefault((person, survey["survey_trigger"]), survey)
                newest[person, survey["survey_trigger"]] = max(
                    known, survey, key=lambda s: (s["responded_at"], s["sent_at"], s["survey_id"])
                )
        scores = [points(survey["score"]) for survey in newest.values()]
        mature = [survey for survey in surveys if survey["sent_at"] + RESPONSES_WINDOW <= AS_OF]
        n = len(scores)
        mean = sum(scores) / n if n else None
        counts = (scores.count(1), scores.count(0), scores.count(-1))
        rows[group] = {
            "surveys_sent": len(surveys),
            "surveys_mature": len(mature),
            "responses": n,
            "response_rate": (
                sum(survey["score"] is not None for survey in mature) / len(mature)
                if mature
                else None
            ),
            "promoters": counts[0],
            "passives": counts[1],
            "detractors": counts[2],
            "nps": None if mean is None else 100 * mean,
            "nps_standard_error": (
                None
                if mean is None
                else 100 * math.sqrt(sum((score - mean) ** 2 for score in scores)) / n
            ),
            "nps_low": adjusted_wald(*counts)[0] if n else None,
            "nps_high": adjusted_wald(*counts)[1] if n else None,
        }
    return rows


def test_nps_is_that_of_plain_python_in_every_month_and_segment(warehouse: Warehouse) -> None:
    tiers = {
        (customer, month): tier
        for customer, month, tier in warehouse.query(
            "select unnest(customer_ids), month::varchar, months.value_tier"
            " from marts.fct_person_months as months inner join marts.dim_persons using (person_id)"
        )
    }
    expected = expected_nps(tiers)
    assert {value for _, name, value in expected if name == "value_tier"} > {"unknown"}
    columns = list(next(iter(expected.values())))
    found = {
        tuple(group): dict(zip(columns, values, strict=True))
        for *group, values in (
            (*row[:3], row[3:])
            for row in warehouse.query(
                "select period_month::varchar, segment_name, segment_value,"
                f" {', '.join(columns)} from marts.agg_nps"
            )
        )
    }
    assert found.keys() == expected.keys()
    # the case is not trivial: answers are left out, surveys are too young, countries differ
    assert sum(row["responses"] for row in expected.values()) < 3 * sum(
        survey["score"] is not None for survey in SURVEYS
    )
    assert {value for _, name, value in expected if name == "country"} == {
        *("DE", "FR", "IT", "unknown")
    }
    assert {value for _, name, value in expected if name == "acquisition_channel"} == {
        *("store", "direct", "unknown")
    }
    for group, row in expected.items():
        for column, value in row.items():
            if value is None:
                assert found[group][column] is None, (group, column)
            else:
                assert found[group][column] == pytest.approx(value, rel=1e-9, abs=1e-9), (
                    group,
                    column,
                )


def test_the_latest_score_of_a_person_is_that_of_the_newest_answer(warehouse: Warehouse) -> None:
    newest: dict[str, dict[str, Any]] = {}
    for survey in SURVEYS:
        if survey["score"] is not None and survey["customer_id"]:
            known = newest.setdefault(survey["customer_id"], survey)
            newest[survey["customer_id"]] = max(
                known, survey, key=lambda s: (s["responded_at"], s["sent_at"], s["survey_id"])
            )
    found = warehouse.query(
        "select customer_ids[1], latest_nps_score from marts.dim_persons"
        " where latest_nps_score is not null"
    )
    assert dict(found) == {name: survey["score"] for name, survey in newest.items()}


def test_days_since_the_last_ticket_are_those_of_plain_python(warehouse: Warehouse) -> None:
    expected = {}
    for survey in SURVEYS:
        moment = survey["responded_at"] or survey["sent_at"]
        before = [
            ticket["created_at"]
            for ticket in TICKETS
            if ticket["customer_id"]
            and ticket["customer_id"] == survey["customer_id"]
            and ticket["created_at"] <= moment
        ]
        expected[survey["survey_id"]] = (
            (moment.date() - max(before).date()).days if before else None
        )
    found = warehouse.query("select survey_id, days_since_last_ticket from marts.fct_nps_responses")
    assert dict(found) == expected


def test_tickets_are_those_of_plain_python(warehouse: Warehouse) -> None:
    expected = {}
    for ticket in TICKETS:
        customer = ticket["customer_id"]
        is_repeat = any(
            customer
            and other["customer_id"] == customer
            and (other["created_at"], other["ticket_id"])
            < (ticket["created_at"], ticket["ticket_id"])
            and ticket["created_at"] - other["created_at"] <= REPEAT_WINDOW
            for other in TICKETS
        )
        waited = (ticket["first_responded_at"] or AS_OF) - ticket["created_at"]
        minutes = ticket["agent_minutes"]
        expected[ticket["ticket_id"]] = (
            waited > timedelta(hours=SLA_HOURS[ticket["channel"]]),
            bool(is_repeat),
            None if minutes is None else minutes * MINUTE_CENTS,
        )
    found = warehouse.query(
        "select ticket_id, is_sla_breached, is_repeat_contact, (100 * cost_to_serve)::int"
        " from marts.fct_support_tickets"
    )
    assert {ticket_id: tuple(row) for ticket_id, *row in found} == expected


def test_a_channel_of_spend_that_nobody_mapped_is_shown_and_counted(warehouse: Warehouse) -> None:
    assert warehouse.query(
        "select spend_date::varchar, channel_group, campaign, spend::varchar"
        " from marts.fct_ad_spend order by all"
    ) == [
        ("2024-06-01", "other", "unknown", "7.00"),
        ("2024-06-01", "paid_search", "brand", "10.25"),
    ]
    assert warehouse.query(
        "select drift_value, row_count from quality.dq_schema_drift"
        " where table_name = 'ad_spend' and drift_kind = 'unknown_value'"
    ) == [("skywriting", 1)]


def test_free_text_stays_in_staging(warehouse: Warehouse) -> None:
    rows = warehouse.public_rows()
    assert rows["marts.fct_support_tickets"]
    assert rows["marts.fct_nps_responses"]
    assert "a secret w" not in str(rows)


@pytest.fixture(scope="module")
def analyses(
    dbt: Dbt, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    target = tmp_path_factory.mktemp("target")
    names = ("nps_by_month", "support_cost_and_score")
    settings = {"CX_WAREHOUSE_DIR": str(warehouse.path.parent)}
    succeeded, output = dbt.run("compile", ["--select", *names], cache=target, settings=settings)
    assert succeeded, output
    compiled = target / "compiled" / "cx_warehouse" / "analyses"
    return {name: warehouse.frame((compiled / f"{name}.sql").read_text()) for name in names}


def test_nps_by_month_compares_each_month_with_the_one_before(
    analyses: dict[str, pd.DataFrame],
) -> None:
    found = analyses["nps_by_month"]
    assert set(found["survey_trigger"]) == {"all", *TRIGGERS}
    for _, months in found.groupby("survey_trigger"):
        assert months["period_month"].is_monotonic_increasing
        assert months["nps_change"].iloc[1:].tolist() == pytest.approx(
            months["nps"].diff().iloc[1:].tolist()
        )
        clear = [
            later.nps_low > earlier.nps_high or later.nps_high < earlier.nps_low
            for earlier, later in pairwise(months.itertuples())
        ]
        assert months["is_clear_move"].iloc[1:].tolist() == clear


def test_support_costs_are_those_of_all_tickets(
    warehouse: Warehouse, analyses: dict[str, pd.DataFrame]
) -> None:
    found = analyses["support_cost_and_score"].set_index("support_experience")
    without_order = found.loc["tickets of no order"]
    assert found["orders"].sum() == len(ORDER_COUNTRIES)
    assert found["tickets"].sum() == len(TICKETS)
    assert without_order["tickets"] == sum(ticket["order_id"] is None for ticket in TICKETS)
    cents = [(ticket["agent_minutes"] or 0) * MINUTE_CENTS for ticket in TICKETS]
    assert float(found["cost_to_serve"].sum()) == pytest.approx(sum(cents) / 100)
    assert found["cost_per_order_of_all"].tolist() == pytest.approx(
        [sum(cents) / 100 / len(ORDER_COUNTRIES)] * len(found)
    )
    [(counted,)] = warehouse.query(
        "select count(*) from marts.fct_nps_responses where is_newest_answer"
    )
    assert found["answers"].sum() == counted
