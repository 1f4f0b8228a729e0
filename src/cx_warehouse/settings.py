"""Settings that come from the environment; everything about meaning is a dbt var or a seed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
DEMO_RAW_PATH: Final = PROJECT_ROOT / "data" / "demo"
DEMO_PII_KEY: Final = "cx-warehouse-demo-key"
RAW_FORMATS: Final = {"parquet": ".parquet", "csv": ".csv", "json": ".json"}
DEMO_KEY_WARNING: Final = (
    "warning: e-mails are hashed with the demo key, which everybody knows;"
    " set CX_PII_KEY to a secret of your own"
)
SHORT_KEY_LENGTH: Final = 8
SHORT_KEY_WARNING: Final = (
    f"warning: e-mails are hashed with a key of less than {SHORT_KEY_LENGTH} characters, which can"
    " be guessed; set CX_PII_KEY to a longer secret"
)
# What DuckDB shows of a row or a value that it cannot read, and what stays in its place.
DATA_SHOWN: Final = (
    (r"\nOriginal Line(?:.*(?=\n(?:Expected|Value with|Maximum line|Invalid unicode) )|.*)", ""),
    (r"(?<= Object ).*(?= has duplicate key)", "of a row"),
    (r'(?<= value )".*"(?= is not valid UTF8)', "of a row"),
)


class CxError(Exception):
    """What the user can put right; its text is one line that says what to do."""


def without_data(said: str) -> str:
    """Return what DuckDB says without the data that it says it of.

    Parameters
    ----------
    said
        Text of an error.

    Returns
    -------
    str
        The same without rows of CSV, objects of JSON and values of Parquet.
    """
    for shown, instead in DATA_SHOWN:
        said = re.sub(shown, instead, said, flags=re.DOTALL)
    return said


@dataclass(frozen=True)
class Settings:
    """Where to read, where to write, and the key that hashes e-mails.

    Attributes
    ----------
    raw_path
        Root of the raw lake (`CX_RAW_PATH`).
    raw_format
        Ending to read: parquet, csv or json (`CX_RAW_FORMAT`).
    warehouse_dir
        Folder of the build file and of what is published (`CX_WAREHOUSE_DIR`).
    pii_key
        Secret that keys the hash of e-mails (`CX_PII_KEY`).
    """

    raw_path: Path
    raw_format: str
    warehouse_dir: Path
    pii_key: str

    @property
    def build_path(self) -> Path:
        """The DuckDB file that dbt writes; BI tools never open it."""
        return self.warehouse_dir / "build.duckdb"

    @property
    def serve_path(self) -> Path:
        """The link that readers open; it always names a whole published file."""
        return self.warehouse_dir / "serve.duckdb"

    @property
    def validation_dir(self) -> Path:
        """Where the gates leave their results."""
        return self.warehouse_dir / "validation"

    @property
    def key_warning(self) -> str:
        """What is to be said of the key; empty for one of a shop's own that is long enough."""
        if self.pii_key == DEMO_PII_KEY and self.raw_path != DEMO_RAW_PATH:
            return DEMO_KEY_WARNING
        return SHORT_KEY_WARNING if len(self.pii_key) < SHORT_KEY_LENGTH else ""

    @classmethod
    def from_environment(cls, *, reads_lake: bool = True) -> Settings:
        """Read the `CX_*` variables, each with a working default.

        Parameters
        ----------
        reads_lake
            Whether the raw lake has to be there.

        Raises
        ------
        CxError
            If a variable holds what cannot be used.
        """
        raw_path = Path(os.environ.get("CX_RAW_PATH") or DEMO_RAW_PATH).expanduser().absolute()
        if reads_lake and not raw_path.is_dir():
            message = f"CX_RAW_PATH: {raw_path} is not a folder; set it to the root of the raw lake"
            raise CxError(message)
        raw_format = os.environ.get("CX_RAW_FORMAT") or "parquet"
        if raw_format not in RAW_FORMATS:
            message = f"CX_RAW_FORMAT: '{raw_format}' is not one of {', '.join(RAW_FORMATS)}"
            raise CxError(message)
        pii_key = os.environ.get("CX_PII_KEY", DEMO_PII_KEY)
        if not pii_key:
            message = "CX_PII_KEY: the key is empty; set a secret, or unset it to use the demo key"
            raise CxError(message)
        warehouse_dir = Path(os.environ.get("CX_WAREHOUSE_DIR") or "warehouse").expanduser()
        return cls(raw_path, raw_format, warehouse_dir.absolute(), pii_key)

    def create_warehouse_dir(self) -> None:
        """Create the folder of the warehouse, with a clear error where that is impossible.

        Raises
        ------
        CxError
            If the folder cannot be created or written.
        """
        try:
            self.warehouse_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"CX_WAREHOUSE_DIR: cannot create {self.warehouse_dir} ({error.strerror});"
                " name another folder"
            )
            raise CxError(message) from error
        if not os.access(self.warehouse_dir, os.W_OK):
            message = f"CX_WAREHOUSE_DIR: {self.warehouse_dir} is not writable; name another folder"
            raise CxError(message)
