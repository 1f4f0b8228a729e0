"""Sessions and funnels of a simulated shop against a second implementation, the benchmark's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import SimulatedShop


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    import web_against_pandas  # noqa: PLC0415 - scripts that are no package

    return web_against_pandas


@pytest.fixture
def in_pandas(benchmark: Any, simulated: SimulatedShop, tmp_path: Path) -> Path:
    import web_in_pandas  # noqa: PLC0415

    benchmark.export(simulated.warehouse.path, tmp_path / "inputs")
    web_in_pandas.work(tmp_path / "inputs", tmp_path / "outputs")
    return tmp_path / "outputs"


def test_every_session_and_every_entry_is_that_of_pandas(
    benchmark: Any, simulated: SimulatedShop, in_pandas: Path
) -> None:
    rows = benchmark.check_equal(simulated.warehouse.path, in_pandas)
    assert min(rows.values()) > 5_000


@pytest.mark.parametrize("name", ["sessions", "entries", "funnels"])
def test_a_row_that_differs_is_noticed(
    benchmark: Any, simulated: SimulatedShop, in_pandas: Path, name: str
) -> None:
    path = in_pandas / f"{name}.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(benchmark.BenchError, match=f"{name}: 1 rows"):
        benchmark.check_equal(simulated.warehouse.path, in_pandas)
