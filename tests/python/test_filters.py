"""A filter in a seed may name the columns of events, which a macro has to write down."""

from __future__ import annotations

import re

import yaml

from conftest import PROJECT


def test_a_filter_may_name_every_column_of_events_but_the_email() -> None:
    sources = yaml.safe_load((PROJECT / "models/staging/web/_web__sources.yml").read_text())
    columns = [column["name"] for column in sources["sources"][0]["tables"][0]["columns"]]
    macro = (PROJECT / "macros/filter_columns.sql").read_text()
    assert re.findall(r"'(\w+)'", macro) == [name for name in columns if name != "email"]
