"""What the gates' suites are made of: rules as data, with their SQL, free of Great Expectations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Severity = Literal["critical", "warning", "info"]

SAMPLE_SIZE: Final = 3


def quoted(name: str) -> str:
    """Return an SQL identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class RowRule:
    """No row may meet a condition; all such rules of a table are counted in one scan.

    Attributes
    ----------
    name
        What holds when the rule does, in snake case; `{name} ({columns})` is what a message says.
    columns
        Columns of the table that the condition reads; where one is absent the rule is not checked,
        and says so.
    violation
        SQL condition of a row that breaks the rule.
    severity
        Only `critical` stops a gate.
    sample
        Query of one column that gives up to three keys to look at; by default the suite's key of
        such rows.
    counted
        Column whose sum over such rows is reported; by default the rows are counted.
    says
        What a message says instead of the rule's name, with `{count}`.
    """

    name: str
    columns: tuple[str, ...]
    violation: str
    severity: Severity = "critical"
    sample: str | None = None
    counted: str | None = None
    says: str | None = None


@dataclass(frozen=True)
class KeyRule:
    """A key is unique and, apart from `nullable` columns, not null; counted in the same scan.

    Attributes
    ----------
    name
        What holds when the rule does.
    columns
        The key.
    nullable
        Columns of the key that may be null; rows with the same nulls still count as repeated.
    where
        SQL condition of the rows that the rule is about.
    severity
        Only `critical` stops a gate.
    """

    name: str
    columns: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    where: str = "true"
    severity: Severity = "critical"


@dataclass(frozen=True)
class QueryRule:
    """A query across tables finds nothing; costs a query of its own.

    Attributes
    ----------
    name
        What holds when the rule does.
    columns
        Columns of the suite's own table that the query reads.
    query
        Select of the rows that break the rule; its first column is the key to show.
    requires
        Columns of other tables that it reads, as `schema.table.column`; while such a table is not
        built, the rule does not apply.
    severity
        Only `critical` stops a gate.
    """

    name: str
    columns: tuple[str, ...]
    query: str
    requires: tuple[str, ...] = ()
    severity: Severity = "critical"


@dataclass(frozen=True)
class RatioRule:
    """A share lies at or above a floor (so does null, of an empty table); counted in the same scan.

    Attributes
    ----------
    name
        What holds when the rule does.
    columns
        Columns that the aggregate reads.
    expression
        SQL aggregate, a share between 0 and 1.
    floor
        Smallest share that is expected.
    severity
        Only `critical` stops a gate.
    """

    name: str
    columns: tuple[str, ...]
    expression: str
    floor: float
    severity: Severity = "warning"


@dataclass(frozen=True)
class RowCountRule:
    """A table has at least so many rows."""

    minimum: int
    severity: Severity = "critical"
    name: str = "has_rows"
    columns: tuple[str, ...] = ()


Rule = RowRule | KeyRule | QueryRule | RatioRule | RowCountRule


@dataclass(frozen=True)
class Suite:
    """The rules of one table.

    Attributes
    ----------
    schema, table
        What is checked; the suite's name is `schema.table`.
    key
        Columns that name a row in messages.
    rules
        What must hold.
    """

    schema: str
    table: str
    key: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """The table with its schema."""
        return f"{self.schema}.{self.table}"

    @property
    def relation(self) -> str:
        """The table with its schema, quoted for SQL."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"


def key_as_text(columns: Sequence[str]) -> str:
    """Return SQL that gives a key as one text, as a message shows it."""
    if not columns:
        return "'(a row)'"
    parts = [f"coalesce(cast({quoted(column)} as varchar), 'null')" for column in columns]
    return " || ' | ' || ".join(parts)


def _any_null(columns: Sequence[str]) -> str:
    return " or ".join(f"{quoted(column)} is null" for column in columns) or "false"


def _required(rule: KeyRule) -> list[str]:
    return [column for column in rule.columns if column not in rule.nullable]


def counting(rule: RowRule | KeyRule | RatioRule) -> str:
    """Return the aggregate that a rule adds to its table's one scan.

    Parameters
    ----------
    rule
        A rule on the rows of one table.

    Returns
    -------
    str
        SQL: a number of rows that break the rule, or a share for a `RatioRule`. Repeated keys are
        told by their 64-bit hash, an eighth of the memory of the keys: it can only ever report too
        many, never too few.
    """
    if isinstance(rule, RatioRule):
        return rule.expression
    if isinstance(rule, RowRule) and rule.counted is not None:
        return f"coalesce(sum({quoted(rule.counted)}) filter (where {rule.violation}), 0)"
    if isinstance(rule, RowRule):
        return f"count(*) filter (where {rule.violation})"
    required = _required(rule)
    key = ", ".join(quoted(column) for column in rule.columns)
    whole = f"({rule.where}) and not ({_any_null(required)})"
    nulls = f"count(*) filter (where ({rule.where}) and ({_any_null(required)}))"
    repeated = (
        f"count(*) filter (where {whole}) - count(distinct hash({key})) filter (where {whole})"
    )
    return f"{nulls} + {repeated}"


def sampling(suite: Suite, rule: Rule) -> str | None:
    """Return a query of up to three keys that break a rule; it runs only when one does.

    Parameters
    ----------
    suite
        The table's suite, whose key names rows.
    rule
        The broken rule.

    Returns
    -------
    str or None
        SQL select of one text column; None for a rule that no single row breaks.
    """
    if isinstance(rule, RatioRule | RowCountRule):
        return None
    if isinstance(rule, QueryRule):
        return (
            f"select cast(found.key as varchar) as key from ({rule.query}) as found(key)"
            f" order by key limit {SAMPLE_SIZE}"
        )
    if isinstance(rule, RowRule):
        if rule.sample is not None:
            return rule.sample
        return (
            f"select {key_as_text(suite.key)} as key from {suite.relation}"
            f" where {rule.violation} order by key limit {SAMPLE_SIZE}"
        )
    return (
        f"select {key_as_text(rule.columns)} as key from {suite.relation} where {rule.where}"
        f" group by {', '.join(quoted(column) for column in rule.columns)}"
        f" having count(*) > 1 or bool_or({_any_null(_required(rule))})"
        f" order by key limit {SAMPLE_SIZE}"
    )
