"""Great Expectations on DuckDB, pushed down as SQL: data source, expectations, how a suite runs.

Importing this module imports Great Expectations, which takes seconds: import it inside the function
that needs it.

Two things of Great Expectations do not work for us and are replaced here. Its execution engine
closes the connection before it fetches the result, which DuckDB answers with an error or nothing:
ours keeps one connection. Its expectations on columns scan the table once each, and fetch examples
although nothing is wrong: ours are aggregates that all go into one scan, and ask for examples only
of a rule that is broken.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

# Read when the package is imported: no usage statistics, so nothing of ours needs the network.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import sqlalchemy as sa
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import (
    metric_partial,
    metric_value,
)
from great_expectations.expectations.metrics.table_metric_provider import (
    TableMetricProvider,
)

from cx_warehouse.quality.results import Check
from cx_warehouse.quality.rules import (
    KeyRule,
    QueryRule,
    RatioRule,
    RowCountRule,
    RowRule,
    Rule,
    Suite,
    counting,
    sampling,
)
from cx_warehouse.settings import without_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

AGGREGATE: Final = "table.cx_aggregate"
FOUND_ROWS: Final = "table.cx_found_rows"
COLUMNS_SHOWN: Final = 2

# It logs each query that fails, with its stack; we report such a rule as one line.
logging.getLogger("great_expectations").setLevel(logging.CRITICAL)


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):  # type: ignore[misc]
    """Keeps one connection open, so that results can be fetched after a query has been run."""

    _connection: Any = None

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Give the one connection, and leave it open."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self.engine.dispose()


class DuckDBDatasource(SQLDatasource):  # type: ignore[misc]
    """An open DuckDB connection as a data source; tables are reached as query assets."""

    type: Literal["cx_duckdb"] = "cx_duckdb"

    def use(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Run everything on a connection, which `close` closes."""
        self._engine = sa.create_engine(
            self.connection_string,
            creator=lambda: ConnectionWrapper(connection),
            poolclass=sa.pool.StaticPool,
            isolation_level="AUTOCOMMIT",
        )
        self._execution_engine = DuckDBExecutionEngine(engine=self._engine, create_temp_table=False)

    def close(self) -> None:
        """Close the connection."""
        self._execution_engine.close()

    @property
    def execution_engine_type(self) -> Any:  # noqa: ANN401 - types of an untyped library
        """Our own execution engine."""
        return DuckDBExecutionEngine

    def get_engine(self) -> Any:  # noqa: ANN401
        """Return the engine on the one connection."""
        return self._engine

    def get_execution_engine(self) -> DuckDBExecutionEngine:
        """Return the execution engine on the one connection."""
        return self._execution_engine


class Aggregate(TableMetricProvider):  # type: ignore[misc]
    """Any aggregate over the rows of a table; all those of a suite go into one query."""

    metric_name = AGGREGATE
    value_keys = ("expression",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )  # type: ignore[untyped-decorator]
    def _sqlalchemy(
        cls,  # noqa: N805 - the library makes it a class method
        execution_engine: DuckDBExecutionEngine,  # noqa: ARG002
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any],  # noqa: ARG002
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        return sa.literal_column(metric_value_kwargs["expression"]), metric_domain_kwargs, {}


class FoundRows(TableMetricProvider):  # type: ignore[misc]
    """Number of rows that a query of its own returns, whatever tables it reads."""

    metric_name = FOUND_ROWS
    value_keys = ("query",)

    @metric_value(engine=SqlAlchemyExecutionEngine)  # type: ignore[untyped-decorator]
    def _sqlalchemy(
        cls,  # noqa: N805
        execution_engine: DuckDBExecutionEngine,
        metric_domain_kwargs: dict[str, Any],  # noqa: ARG002
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any],  # noqa: ARG002
    ) -> int:
        statement = f"select count(*) from ({metric_value_kwargs['query']}) as found"
        return int(_fetch(execution_engine, statement)[0][0])


def _fetch(execution_engine: DuckDBExecutionEngine, statement: str) -> Sequence[Any]:
    """Run SQL as it stands: colons and braces in it are no parameters."""
    rows: Sequence[Any] = execution_engine.execute_query(
        sa.text(statement.replace(":", r"\:"))
    ).fetchall()
    return rows


class _ExpectNothing(BatchExpectation):  # type: ignore[misc]
    """A number of rows must be 0; up to three keys are fetched when it is not."""

    rule: str
    sample_query: str
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    def _judged(self, count: int, engine: DuckDBExecutionEngine) -> dict[str, Any]:
        keys = [str(row[0]) for row in _fetch(engine, self.sample_query)] if count else []
        return {
            "success": count == 0,
            "result": {
                "observed_value": count,
                "unexpected_count": count,
                "partial_unexpected_list": keys,
            },
        }


class ExpectNoRowsToBreakRule(_ExpectNothing):
    """No row of the table breaks a rule on single rows."""

    expression: str
    metric_dependencies: ClassVar[tuple[str, ...]] = (AGGREGATE,)
    success_keys: ClassVar[tuple[str, ...]] = ("rule", "expression", "sample_query")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002
        execution_engine: Any = None,  # noqa: ANN401
    ) -> dict[str, Any]:
        return self._judged(int(metrics[AGGREGATE]), execution_engine)


class ExpectKeyToBeUnique(ExpectNoRowsToBreakRule):
    """The table's key is unique and not null; what equal hashes suggest is looked up."""

    def _judged(self, count: int, engine: DuckDBExecutionEngine) -> dict[str, Any]:
        judged = super()._judged(count, engine)
        keys = judged["result"]["partial_unexpected_list"]
        return judged if keys or not count else super()._judged(0, engine)


class ExpectQueryToFindNothing(_ExpectNothing):
    """A query across tables finds no row that breaks a rule."""

    query: str
    metric_dependencies: ClassVar[tuple[str, ...]] = (FOUND_ROWS,)
    success_keys: ClassVar[tuple[str, ...]] = ("rule", "query", "sample_query")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002
        execution_engine: Any = None,  # noqa: ANN401
    ) -> dict[str, Any]:
        return self._judged(int(metrics[FOUND_ROWS]), execution_engine)


class ExpectShareToBeAtLeast(BatchExpectation):  # type: ignore[misc]
    """A share of the table lies at or above a floor; null, as of no rows, is no failure."""

    rule: str
    expression: str
    floor: float
    metric_dependencies: ClassVar[tuple[str, ...]] = (AGGREGATE,)
    success_keys: ClassVar[tuple[str, ...]] = ("rule", "expression", "floor")
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002
        execution_engine: DuckDBExecutionEngine | None = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        share = metrics[AGGREGATE]
        return {
            "success": share is None or share >= self.floor,
            "result": {"observed_value": share},
        }


def _expectation(suite: Suite, rule: Rule, position: int) -> BatchExpectation:
    """Turn a rule into an expectation; its place in the suite tells its result from others'."""
    common = {"severity": rule.severity, "meta": {"position": position}}
    if isinstance(rule, RowCountRule):
        return gx.expectations.ExpectTableRowCountToBeBetween(min_value=rule.minimum, **common)
    if isinstance(rule, RatioRule):
        return ExpectShareToBeAtLeast(
            rule=rule.name, expression=counting(rule), floor=rule.floor, **common
        )
    sample = sampling(suite, rule) or ""
    if isinstance(rule, QueryRule):
        return ExpectQueryToFindNothing(
            rule=rule.name, query=rule.query, sample_query=sample, **common
        )
    kind = ExpectKeyToBeUnique if isinstance(rule, KeyRule) else ExpectNoRowsToBreakRule
    return kind(rule=rule.name, expression=counting(rule), sample_query=sample, **common)


def _failure(outcome: Any) -> str | None:  # noqa: ANN401
    """Return the first line of what went wrong while a rule was checked, if anything did."""
    information = outcome.exception_info or {}
    if information.get("raised_exception") is False:
        return None
    nested = [value for value in information.values() if isinstance(value, dict)]
    raised = (nested or [information])[0].get("exception_message")
    text = without_data(str(raised or "it raised an error"))
    # SQLAlchemy wraps the driver's sentence in its class name, and adds the statement on further
    # lines.
    telling = [line for line in text.splitlines() if "Error" in line] or [text.splitlines()[0]]
    return telling[0].strip()


def _message(
    suite: Suite, rule: Rule, count: int | None, keys: Sequence[str], observed: str
) -> str:
    # Rules on more columns say in their name what they are about.
    few = 0 < len(rule.columns) <= COLUMNS_SHOWN
    columns = f" ({', '.join(rule.columns)})" if few else ""
    start = f"{suite.name}: rule {rule.name}{columns}"
    if isinstance(rule, RowCountRule):
        return f"{start}: {observed} rows, at least {rule.minimum} expected"
    if isinstance(rule, RatioRule):
        return f"{start}: a share of {observed}, at least {rule.floor:g} expected"
    shown = f", for instance {', '.join(keys)}" if keys else ""
    if isinstance(rule, RowRule) and rule.says is not None:
        return rule.says.format(count=count) + shown
    return f"{start} is broken {count} time{'' if count == 1 else 's'}{shown}"


def _observed(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _check(suite: Suite, rule: Rule, outcome: Any) -> Check:  # noqa: ANN401
    columns = ", ".join(rule.columns)
    failure = _failure(outcome)
    if failure is not None:
        # Whatever it was meant to say: a table that cannot be read is no table to build on.
        message = f"{suite.name} cannot be checked: {failure}"
        return Check(suite.name, rule.name, columns, "critical", success=False, message=message)
    found = outcome.result
    count = found.get("unexpected_count")
    keys = tuple(found.get("partial_unexpected_list") or ())
    observed = _observed(found.get("observed_value"))
    success = bool(outcome.success)
    message = "" if success else _message(suite, rule, count, keys, observed)
    return Check(
        suite.name, rule.name, columns, rule.severity, success, observed, count, message, keys
    )


def validate(connection: duckdb.DuckDBPyConnection, suites: Iterable[Suite]) -> list[Check]:
    """Run suites, one scan of its table for each, and one query for each `QueryRule`.

    Parameters
    ----------
    connection
        Database with the suites' tables; it stays open.
    suites
        Whose tables and columns all exist.

    Returns
    -------
    list of Check
        One for each rule, in order. A rule whose SQL fails counts as broken, and says why.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.add_datasource(
        datasource=DuckDBDatasource(name="warehouse", connection_string="duckdb://")
    )
    # A second connection to the same database, because the pool closes the one that it is given.
    source.use(connection.cursor())
    try:
        return [check for suite in suites for check in _validate(source, suite)]
    finally:
        source.close()


def _validate(source: DuckDBDatasource, suite: Suite) -> list[Check]:
    asset = source.add_query_asset(name=suite.name, query=f"select * from {suite.relation}")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    expectations = [_expectation(suite, rule, at) for at, rule in enumerate(suite.rules)]
    outcomes = batch.validate(gx.ExpectationSuite(name=suite.name, expectations=expectations))
    by_position = {
        outcome.expectation_config.meta["position"]: outcome for outcome in outcomes.results
    }
    return [_check(suite, rule, by_position[at]) for at, rule in enumerate(suite.rules)]
