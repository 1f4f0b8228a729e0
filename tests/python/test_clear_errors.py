"""What a user can put right ends the build with one line that says what and where."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import PROJECT, BuildLake, order, write_lake
from cx_warehouse.lake import register_lake
from cx_warehouse.settings import CxError, Settings, without_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = "order_id,ordered_at,currency,item_total,order_total"
ROW = "o-1,2024-03-01,EUR,10,10"


@pytest.fixture(scope="module")
def bare_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the project without its models: settings and files are looked at before them."""
    folder = tmp_path_factory.mktemp("bare")
    for name in ("dbt_project.yml", "profiles.yml", "macros"):
        (folder / name).symlink_to(PROJECT / name)
    (folder / "seeds").mkdir()
    (folder / "seeds" / "one.csv").write_text("one\n1\n")
    return folder


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("lake"), {"storefront/orders": [order("o-1")]})


def error_of(build_lake: BuildLake, lake: Path, **more: Any) -> str:
    """Build what cannot be built; returns what dbt said."""
    warehouse = build_lake(lake, check=False, **more)
    assert not warehouse.succeeded, warehouse.output
    assert "Traceback" not in warehouse.output
    return warehouse.output


def test_the_bare_project_builds(build_lake: BuildLake, lake: Path, bare_project: Path) -> None:
    build_lake(lake, project=bare_project)


DATE = "must be a date (2024-06-30) or a UTC timestamp (2024-06-30 18:00:00)"
WRONG_VARS = [
    ("as_off", "2024-03-01", "is no setting of this project; they are listed in dbt_project.yml"),
    ("as_of", "soon", DATE),
    ("earliest_plausible_at", "2024-02-30", DATE),
    # DuckDB reads it, as the start of that day instead of its end
    ("latest_plausible_at", "2024-3-1", DATE),
    ("reporting_timezone", "Berlin", "must be an IANA name such as Europe/Berlin"),
    ("base_currency", "euro", "must be a code of three capital letters such as EUR"),
    ("money_tolerance", -0.01, "must be a number from 0 on"),
    ("refund_window_days", 30.5, "must be a whole number from 0 to 36500"),
    ("identity_max_customers_per_email", 0, "must be a whole number from 1 on"),
    ("payment_fee_rate", "low", "must be a number from 0 to 1"),
    ("cost_known_share_min", 80, "must be a number from 0 to 1"),
    ("non_promo_kinds", "loyalty", "must be a list"),
    ("marketing_parameters", ["utm_.*"], "must be a list of names such as utm_source"),
    ("fulfilment_cost_rate", True, "must be a number from 0 to 1"),
    ("click_id_source", "o'clock", "must be the name of a source such as google"),
    ("clv_model", "pareto_nbd", "must be one of mbg_nbd, bg_nbd"),
    (
        "clv_group_by",
        "promo",
        "must be one of all, is_promo_acquired, acquisition_channel, first_category, country",
    ),
    ("clv_shrinkage_orders", 0, "must be a number from 0.01 on"),
    ("journey_silence_days", 0, "must be a whole number from 1 to 36500"),
    ("identity_lookback_days", 10**9, "must be a whole number from 0 to 36500"),
    ("cart_abandon_hours", 10**9, "must be a number from 0 to 876000"),
    ("micro_conversion_min_sessions", 0.5, "must be a whole number from 1 on"),
    ("value_tier_top_share", 0.6, "must be a number from 0 to 0.5"),
    ("value_tier_next_share", -0.1, "must be a number from 0 to 0.5"),
    ("clv_backtest_days", [90, 0], "must be a list of different whole numbers from 1 on"),
]


@pytest.fixture(scope="module")
def output_of_wrong_vars(build_lake: BuildLake, lake: Path, bare_project: Path) -> str:
    return error_of(
        build_lake,
        lake,
        project=bare_project,
        vars={name: value for name, value, _ in WRONG_VARS},
    )


@pytest.mark.parametrize(("name", "value", "message"), WRONG_VARS, ids=str)
def test_a_wrong_var_is_named_with_its_value(
    output_of_wrong_vars: str, name: str, value: float | str, message: str
) -> None:
    lines = [line.strip() for line in output_of_wrong_vars.splitlines()]
    assert f"var {name}: '{value}' {message}" in lines


WRONG_KINDS = {
    "session_splits_at_midnight": "maybe",
    "money_tolerance": True,
    "click_id_source": None,
    "cart_abandon_hours": "24",
    "clv_backtest_days": 90,
    "non_promo_kinds": None,
    "value_tier_top_share": "x",
    "earliest_plausible_at": None,
}


def test_a_var_of_a_wrong_kind_is_named_before_a_model_stumbles_over_it(
    build_lake: BuildLake, lake: Path
) -> None:
    output = error_of(build_lake, lake, vars=WRONG_KINDS)
    lines = {line.strip() for line in output.splitlines()}
    for name, value in WRONG_KINDS.items():
        assert any(line.startswith(f"var {name}: '{value}' must be") for line in lines)


@pytest.mark.parametrize("text", ["2024-06-30T18:00Z", "2024-06-30 20:00 +02:00"])
def test_a_moment_may_be_written_as_in_data(
    build_lake: BuildLake, lake: Path, bare_project: Path, text: str
) -> None:
    moments = dict.fromkeys(("as_of", "earliest_plausible_at", "latest_plausible_at"), text)
    build_lake(lake, project=bare_project, vars=moments)


def test_a_var_that_is_no_finite_number_is_named(
    build_lake: BuildLake, lake: Path, bare_project: Path
) -> None:
    given = ["--vars", "{money_tolerance: .inf, cart_abandon_hours: .nan}"]
    output = error_of(build_lake, lake, project=bare_project, flags=given)
    assert "var money_tolerance: 'inf' must be a number from 0 on" in output
    assert "var cart_abandon_hours: 'nan' must be a number from 0 to 876000" in output


@pytest.mark.parametrize("kinds", [["loyal"], ["loyalty", "Winback"], [None]])
def test_a_kind_of_promotion_that_there_is_none_of_is_named(
    build_lake: BuildLake, lake: Path, kinds: list[Any]
) -> None:
    output = error_of(build_lake, lake, vars={"non_promo_kinds": kinds})
    lines = {line.strip() for line in output.splitlines()}
    assert (
        f"var non_promo_kinds: '{kinds}' must be a list of percent, amount, free_shipping, loyalty,"
        " winback, cart_recovery, other"
    ) in lines


@pytest.mark.parametrize("kinds", [[], ["percent", "other"]])
def test_any_kind_of_promotion_may_be_none(
    build_lake: BuildLake, lake: Path, kinds: list[str]
) -> None:
    build_lake(lake, select="value_map", vars={"non_promo_kinds": kinds, "money_tolerance": 1})


def test_vars_that_are_right_are_not_named(output_of_wrong_vars: str) -> None:
    assert output_of_wrong_vars.count("  var ") == len(WRONG_VARS)


def test_a_wrong_raw_path_is_named(
    build_lake: BuildLake, tmp_path: Path, bare_project: Path
) -> None:
    output = error_of(build_lake, tmp_path / "nowhere", project=bare_project)
    expected = (
        f"CX_RAW_PATH: {tmp_path / 'nowhere'} is not a folder; set it to the root of the raw lake"
    )
    assert expected in output


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CX_RAW_FORMAT": "xml"}, "CX_RAW_FORMAT: 'xml' is not one of parquet, csv, json"),
        ({"CX_MEMORY_LIMIT": "much"}, "CX_MEMORY_LIMIT: 'much' is no size; write for example 8GB"),
        ({"CX_THREADS": "many"}, "Could not render {{ (env_var('CX_THREADS', '') or '2')"),
        ({"CX_PII_KEY": ""}, "CX_PII_KEY: the key is empty; set a secret, or unset it to use"),
    ],
    ids=str,
)
def test_a_wrong_environment_variable_is_named(
    build_lake: BuildLake,
    lake: Path,
    bare_project: Path,
    environment: dict[str, str],
    message: str,
) -> None:
    output = error_of(build_lake, lake, project=bare_project, environment=environment)
    assert message in output


def test_a_short_key_is_warned_of_and_never_shown(
    build_lake: BuildLake, lake: Path, bare_project: Path
) -> None:
    built = build_lake(lake, project=bare_project, environment={"CX_PII_KEY": "hush"})
    assert "hashed with a key of less than 8 characters" in built.output
    assert "hush" not in built.output


def test_a_file_in_place_of_the_warehouse_is_named(
    build_lake: BuildLake, lake: Path, tmp_path: Path, bare_project: Path
) -> None:
    folder = tmp_path / "warehouse"
    folder.touch()
    environment = {"CX_WAREHOUSE_DIR": str(folder)}
    output = error_of(build_lake, lake, project=bare_project, environment=environment)
    assert f"CX_WAREHOUSE_DIR: cannot create {folder} (File exists); name another folder" in output


def test_a_build_file_that_another_program_holds_is_named(
    build_lake: BuildLake, lake: Path, tmp_path: Path, bare_project: Path
) -> None:
    file = tmp_path / "build.duckdb"
    with duckdb.connect(file):
        environment = {"CX_WAREHOUSE_DIR": str(tmp_path)}
        output = error_of(build_lake, lake, project=bare_project, environment=environment)
    assert (
        f"CX_WAREHOUSE_DIR: {file} is being written by process {os.getpid()};"
        " try again when it has finished"
    ) in output


def test_a_build_file_that_is_none_is_named(
    build_lake: BuildLake, lake: Path, tmp_path: Path, bare_project: Path
) -> None:
    file = tmp_path / "build.duckdb"
    file.write_bytes(b"no database" * 1000)
    environment = {"CX_WAREHOUSE_DIR": str(tmp_path)}
    output = error_of(build_lake, lake, project=bare_project, environment=environment)
    assert f"CX_WAREHOUSE_DIR: {file} does not open; move it away (IO Error: " in output


def test_a_folder_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # permissions do not bind the user root, so the answer of the system is given here
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        CxError, match=f"CX_WAREHOUSE_DIR: {tmp_path} is not writable; name another"
    ):
        Settings(tmp_path, "parquet", tmp_path, "a-key-of-the-tests").create_warehouse_dir()


def missing_column(folder: Path) -> str:
    rows = [{"refund_id": "r", "order_id": "o-1", "refunded_at": "2024-03-01"}]
    write_lake(folder, {"storefront/orders": [order("o-1")], "storefront/refunds": rows})
    file = folder / "storefront" / "refunds" / "part-0.parquet"
    return f"{file} lacks the required column amount of storefront.refunds"


def no_orders(folder: Path) -> str:
    write_lake(folder, {"storefront/products": [{"product_id": "p", "product_name": "Lamp"}]})
    return f"no .parquet file with orders below {folder / 'storefront' / 'orders'}"


def torn_parquet(folder: Path) -> str:
    write_lake(folder, {"storefront/orders": [order("o-1")]})
    file = folder / "storefront" / "orders" / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    return f"cannot read {file} as parquet: "


def empty_parquet(folder: Path) -> str:
    write_lake(folder, {"storefront/orders": [order("o-1")]})
    file = folder / "storefront" / "orders" / "empty.parquet"
    file.touch()
    return f"cannot read {file} as parquet: "


def one_file(folder: Path, name: str, content: str) -> Path:
    file = folder / "storefront" / "orders" / name
    file.parent.mkdir(parents=True)
    file.write_text(content)
    return file


def csv_column_twice(folder: Path) -> str:
    file = one_file(folder, "a.csv", f"{HEADER},Currency\n{ROW},EUR\n")
    return (
        f"cannot read {file} as csv: it has an empty or a repeated column name:"
        " 'currency' and 'Currency'; put it right"
    )


def late_header_csv(folder: Path) -> str:
    file = one_file(folder, "a.csv", f"\n{HEADER}\n{ROW}\n")
    return f"cannot read {file} as csv: its first line is blank instead of the names of the columns"


def ragged_csv(folder: Path) -> str:
    file = one_file(folder, "a.csv", f"{HEADER}\n{ROW}\n{ROW[:-3]}\n")
    return (
        f"cannot read {file} as csv: Invalid Input Error: CSV Error on Line: 3"
        " Expected Number of Columns: 5 Found: 4; put it right or take it away"
    )


def unclosed_csv(folder: Path) -> str:
    file = one_file(folder, "a.csv", f'{HEADER}\n{ROW}\n"{ROW}\n')
    return f"cannot read {file} as csv: Invalid Input Error: CSV Error on Line: 3"


def ragged_csv_of_several_lines(folder: Path) -> str:
    row = '"o-1\nPossible\nExpected anna@shop.example",2024-03-01,EUR,10'
    file = one_file(folder, "a.csv", f"{HEADER}\n{ROW}\n{row}\n")
    return (
        f"cannot read {file} as csv: Invalid Input Error: CSV Error on Line: 3"
        " Expected Number of Columns: 5 Found: 4; put it right or take it away"
    )


def late_latin_csv(folder: Path) -> str:
    # the first block of the file is good, and the line begins in it
    rows = f"{ROW}\n" * 50000
    file = one_file(folder, "a.csv", "")
    file.write_bytes(f"{HEADER}\n{rows}".encode() + "o-é,2024-03-01,EUR,10,10\n".encode("latin1"))
    return f"cannot read {file} as csv: line 50002 is not UTF-8; put it right or take it away"


def csv_cut_in_a_letter(folder: Path) -> str:
    file = one_file(folder, "a.csv", "")
    file.write_bytes(f"{HEADER}\n{ROW[:-2]}".encode() + "é".encode()[:1])
    return f"cannot read {file} as csv: line 2 is not UTF-8; put it right or take it away"


def mixed_csv(folder: Path) -> str:
    file = one_file(folder, "a.csv", "")
    file.write_bytes(f'{HEADER}\r\n{ROW}\n"o-2",2024-03-01,EUR,10,10\n'.encode())
    return f"cannot read {file} as csv: it has mixed line endings; end all of its lines alike;"


def broken_json(folder: Path) -> str:
    good = json.dumps(order("o-1"))
    file = one_file(folder, "a.json", f"{good}\n{good[:-9]}\n{good}\n")
    return f"cannot read {file} as json: "


def json_array(folder: Path) -> str:
    file = one_file(folder, "a.json", json.dumps([order("o-1"), order("o-2")]))
    return f"cannot read {file} as json: a line of it is no JSON object; put it right"


def json_column_twice(folder: Path) -> str:
    lines = [json.dumps(order("o-1")), json.dumps({"Order_ID": "o-2"})]
    file = one_file(folder, "a.json", "\n".join(lines))
    return (
        f"cannot read {file} as json: it has an empty or a repeated column name:"
        " 'Order_ID' and 'order_id'; put it right"
    )


@pytest.mark.parametrize(
    "write_files",
    [
        missing_column,
        no_orders,
        torn_parquet,
        empty_parquet,
        csv_column_twice,
        late_header_csv,
        ragged_csv,
        unclosed_csv,
        ragged_csv_of_several_lines,
        late_latin_csv,
        csv_cut_in_a_letter,
        mixed_csv,
        broken_json,
        json_array,
        json_column_twice,
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, write_files: Callable[[Path], str]
) -> None:
    message = write_files(tmp_path)
    raw_format = next((word for word in ("csv", "json") if word in write_files.__name__), "parquet")
    settings = Settings(tmp_path, raw_format, tmp_path, "a-key-of-the-tests")
    with duckdb.connect() as con, pytest.raises(CxError) as error:
        register_lake(con, settings)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert "anna" not in str(error.value)


def json_key_twice(folder: Path) -> str:
    row = json.dumps(order("o-1"))
    one_file(folder, "a.json", f'{{"email": "anna\\n", "email": "anna", {row[1:]}\n')
    return "json"


def latin_parquet(folder: Path) -> str:
    table = pa.table({name: [value] for name, value in order("o-1").items()})
    email = pa.array([b'anna"\nm\xf6re'], pa.binary())
    path = folder / "storefront" / "orders" / "a.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table.append_column("email", email), path)
    return "parquet"


@pytest.mark.parametrize("write_file", [json_key_twice, latin_parquet])
def test_what_fails_when_it_is_read_shows_no_data(
    tmp_path: Path, write_file: Callable[[Path], str]
) -> None:
    settings = Settings(tmp_path, write_file(tmp_path), tmp_path, "a-key-of-the-tests")
    with duckdb.connect() as con:
        register_lake(con, settings)
        with pytest.raises(duckdb.Error) as error:
            con.execute("select email from raw_storefront.orders")
    assert "anna" in str(error.value)
    said = without_data(str(error.value))
    assert "anna" not in said
    assert "ö" not in said
    assert str(tmp_path) in said
    assert re.search("has duplicate key|is not valid UTF8", said)


def test_dbt_says_what_is_wrong_with_a_file(
    build_lake: BuildLake, tmp_path: Path, bare_project: Path
) -> None:
    message = missing_column(tmp_path)
    output = error_of(build_lake, tmp_path, project=bare_project)
    assert len([line for line in output.splitlines() if line.strip() == message]) == 1


def test_several_currencies_ask_which_one_to_report_in(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    orders = [order("o-1"), order("o-2") | {"currency": "usd"}]
    lake = write_lake(tmp_path, {"storefront/orders": orders})
    assert (
        "orders come in several currencies (EUR, USD): name the one to report in with"
        " var base_currency"
    ) in error_of(build_lake, lake, select="+int_settings")
