"""The command line `cx`."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from cx_warehouse.settings import CxError, Settings

# Commands import what they need themselves: `cx --help` must not wait for Great Expectations, dbt
# or DuckDB.

app = typer.Typer(
    help="Checks a raw lake, builds the customer-experience warehouse from it, and publishes it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
check_app = typer.Typer(help="Run one of the two gates.", no_args_is_help=True)
app.add_typer(check_app, name="check")
measure_app = typer.Typer(
    help="Measure what was built against the truth of a simulated lake.", no_args_is_help=True
)
app.add_typer(measure_app, name="measure")

Variables = Annotated[
    str,
    typer.Option("--vars", metavar="YAML", help="Override vars of dbt_project.yml, as in dbt."),
]
Customers = Annotated[int, typer.Option("--customers", help="Persons who order at least once.")]
Days = Annotated[
    int, typer.Option("--days", help="Length of the lake, from 2024-01-01 unless --start.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder for lake/ and truth/, which may hold nothing yet.")
]
Dirt = Annotated[
    str,
    typer.Option(
        "--dirt", help="Rate of each kind of dirt, or kind=rate pairs: 0.01, or late=0.02,bot=0."
    ),
]
Events = Annotated[
    float,
    typer.Option("--events-per-customer", help="Web events, visitors' included, per customer."),
]
Start = Annotated[str, typer.Option("--start", metavar="DATE", help="First day, UTC.")]
Currencies = Annotated[
    str, typer.Option("--currencies", help="Currencies of orders, EUR first: EUR,GBP,USD.")
]
Plain = Annotated[
    bool,
    typer.Option("--plain", help="Orders and journeys from the planted models alone, no effects."),
]
DropoutModel = Annotated[
    str, typer.Option("--dropout-model", help="Purchase process: mbg or bg (no dropout at first).")
]
Truth = Annotated[
    Path, typer.Option("--truth", help="Folder truth that `cx simulate` wrote beside the lake.")
]
Pictures = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the pictures, $CX_WAREHOUSE_DIR/pictures if left out."),
]
FullRefresh = Annotated[bool, typer.Option("--full-refresh", help="Build incremental models anew.")]


@app.command()
def build(variables: Variables = "", *, full_refresh: FullRefresh = False) -> None:
    """Run the whole chain: raw gate, dbt build, marts gate, publish."""
    from rich.console import Console

    from cx_warehouse.build import build as run

    parsed = parse_variables(variables)
    settings = read_settings()
    run(settings, parsed, variables, Console(), full_refresh=full_refresh)


@check_app.command("raw")
def check_raw_command(variables: Variables = "") -> None:
    """Check the raw lake: unreadable files, missing columns, no orders."""
    from cx_warehouse.quality.gates import check_raw

    parsed = parse_variables(variables)
    settings = read_settings()
    _tell(check_raw(settings, parsed), settings)


@check_app.command("marts")
def check_marts_command(variables: Variables = "") -> None:
    """Check the built marts: keys, rates, sums, and how much is in quarantine."""
    from cx_warehouse.quality.gates import check_marts

    parsed = parse_variables(variables)
    settings = read_settings(reads_lake=False)
    _tell(check_marts(settings, parsed), settings)


@app.command()
def publish() -> None:
    """Publish the build that both gates have passed."""
    from cx_warehouse.publish import publish as run

    settings = read_settings(reads_lake=False)
    publication = run(settings)
    if not publication.is_lake_checked:
        print(
            "cx: warning: the raw gate has checked other files than were built;"
            " `cx check raw` checks those that are there",
            file=sys.stderr,
        )
    print(f"published {settings.serve_path} -> {publication.serve_file.name}")


@app.command()
def simulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    customers: Customers,
    days: Days,
    seed: Seed,
    out: Out,
    dirt: Dirt = "",
    events_per_customer: Events = 150.0,
    start: Start = "2024-01-01",
    currencies: Currencies = "EUR",
    dropout_model: DropoutModel = "mbg",
    *,
    plain: Plain = False,
) -> None:
    """Write the raw lake of an invented shop to OUT/lake, and the truth about it to OUT/truth."""
    from cx_warehouse.simulate import Config, parse_dirt
    from cx_warehouse.simulate.progress import simulate_and_tell

    config = Config(
        customers=customers,
        days=days,
        seed=seed,
        events_per_customer=events_per_customer,
        dirt=parse_dirt(dirt),
        start=parse_date(start),
        currencies=tuple(currency.strip().upper() for currency in currencies.split(",")),
        is_plain=plain,
        dropout_model=dropout_model,
    )
    simulate_and_tell(config, out)


@measure_app.command("identity")
def measure_identity_command(truth: Truth) -> None:
    """Say how many device events were given to the person who was behind them."""
    from cx_warehouse.measure.identity import describe, measure_identity

    settings = Settings.from_environment(reads_lake=False)
    print("\n".join(describe(measure_identity(settings, truth), truth)))


@measure_app.command("reminders")
def measure_reminders_command(truth: Truth) -> None:
    """Say what cart reminders did, by the carts left without one at random."""
    from cx_warehouse.measure.reminders import describe, measure_reminders

    settings = Settings.from_environment(reads_lake=False)
    print("\n".join(describe(measure_reminders(settings, truth))))


@app.command()
def pictures(out: Pictures = None) -> None:
    """Draw the published marts as SVG: calibration of CLV, retention, micro-conversions."""
    from cx_warehouse.pictures import draw_pictures

    settings = Settings.from_environment(reads_lake=False)
    for path, told in draw_pictures(settings, out or settings.warehouse_dir / "pictures"):
        print(f"{path}: {told}")


def parse_date(text: str) -> date:
    """Read a day.

    Parameters
    ----------
    text
        Such as 2024-01-31.

    Returns
    -------
    date
        The day.

    Raises
    ------
    CxError
        If it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = f"--start: '{text}' is not a day such as 2024-01-31"
        raise CxError(message) from error


def parse_variables(text: str) -> dict[str, Any]:
    """Read `--vars`.

    Parameters
    ----------
    text
        A YAML mapping; empty for none.

    Returns
    -------
    dict of str to Any
        Names and values.

    Raises
    ------
    CxError
        If it is no mapping.
    """
    import yaml

    try:
        parsed = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        message = f"--vars: '{text}' is not YAML"
        raise CxError(message) from error
    if not isinstance(parsed, dict):
        message = f"--vars: '{text}' is not a YAML mapping such as '{{as_of: 2024-12-31}}'"
        raise CxError(message)
    return {str(name): value for name, value in parsed.items()}


def read_settings(*, reads_lake: bool = True) -> Settings:
    """Read the environment, create the warehouse's folder, and warn of a weak key.

    Parameters
    ----------
    reads_lake
        Whether the raw lake has to be there; e-mails are hashed only then.

    Returns
    -------
    Settings
        Ready to use.

    Raises
    ------
    CxError
        If a variable holds what cannot be used.
    """
    settings = Settings.from_environment(reads_lake=reads_lake)
    settings.create_warehouse_dir()
    if reads_lake and settings.key_warning:
        print(f"cx: {settings.key_warning}", file=sys.stderr)
    return settings


def _tell(result: Any, settings: Settings) -> None:  # noqa: ANN401 - types of an untyped library
    """Say that a gate has passed, what it warns of, and where the page is."""
    print(f"the {result.gate} gate passes: {len(result.checks)} rules checked")
    for check in result.warnings:
        print(f"  {check.severity}: {check.message}")
    print(f"page: {settings.validation_dir / 'index.html'}")


def main() -> None:
    """Run `cx`; what the user can put right is one message and exit code 1."""
    try:
        app()
    except CxError as error:
        print(f"cx: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        print(f"cx: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
