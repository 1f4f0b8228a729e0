"""On DuckDB, dbt 1.x silently ignores a misspelt key and the test or contract it stood for.

The schemas that ship with dbt-core know every key, so they are asked here. Free-form places
(config.meta, vars, arguments of tests) are free in them, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dbt.contracts.project import ProjectFlags
from dbt.jsonschemas.jsonschemas import CustomDraft7Validator, project_schema, resources_schema
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

if TYPE_CHECKING:
    from collections.abc import Hashable

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("models", "seeds", "macros", "tests/dbt", "analyses")
PROPERTY_FILES = sorted(
    path.relative_to(ROOT)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".yml", ".yaml"}
)


def words_in_any_case(_validator, words, word, _schema):
    """The schemas write `Warn` where dbt-core writes `warn` and takes both."""
    if str(word).lower() not in {str(known).lower() for known in words}:
        yield ValidationError(f"'{word}' is not one of {words}")


Validator = extend(CustomDraft7Validator, {"enum": words_in_any_case})


class OneKeyLoader(yaml.SafeLoader):
    """Refuse a key that stands twice: YAML would keep the last and drop the other silently."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 (the parent's signature)
    ) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key}' stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def problems(text: str, schema: dict[str, Any]) -> list[str]:
    """Each problem as `path: what is wrong`, the deepest that explains it."""
    try:
        document = yaml.load(text, OneKeyLoader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        return [str(error)]
    found = []
    for error in Validator(schema).iter_errors(document or {}):
        cause = best_match([error])
        where = ".".join(str(part) for part in cause.absolute_path) or "top level"
        # Some types are whole pages when a branch is printed.
        found.append(f"{where}: {cause.message[:300]}")
    return found


def test_the_property_files_are_found():
    assert Path("models/_groups.yml") in PROPERTY_FILES


@pytest.mark.parametrize("path", PROPERTY_FILES, ids=str)
def test_dbt_knows_every_key_of_a_property_file(path):
    found = problems((ROOT / path).read_text(), resources_schema())
    assert not found, "\n".join(f"{path}: {problem}" for problem in found)


def test_dbt_knows_every_key_of_the_project_file():
    text = (ROOT / "dbt_project.yml").read_text()
    found = problems(text, project_schema())
    # The schema leaves flags open; dbt keeps what it does not know without a word.
    unknown_flags = set(yaml.safe_load(text).get("flags", {})) - set(
        ProjectFlags.__dataclass_fields__
    )
    found += [f"flags: '{flag}' is not a flag of dbt" for flag in sorted(unknown_flags)]
    assert not found, "\n".join(f"dbt_project.yml: {problem}" for problem in found)


@pytest.mark.parametrize("path", sorted((ROOT / "models").rglob("*__models.yml")), ids=str)
def test_the_models_of_a_folder_are_described_in_the_file_of_that_name(path):
    assert path.name == f"_{path.parent.name}__models.yml"


@pytest.mark.parametrize(
    ("where", "misspelt"),
    [
        ("top level", "modles: []"),
        ("models.0", "models: [{name: a, descripton: b}]"),
        ("models.0.config", "models: [{name: a, config: {materialised: table}}]"),
        ("models.0.config.contract", "models: [{name: a, config: {contract: {enforce: true}}}]"),
        ("models.0.columns.0", "models: [{name: a, columns: [{name: b, datatype: text}]}]"),
        (
            "models.0.columns.0.data_tests.0.unique",
            "models: [{name: a, columns: [{name: b, data_tests: [{unique: {argments: {c: d}}}]}]}]",
        ),
        ("sources.0.tables.0", "sources: [{name: a, tables: [{name: b, desciption: c}]}]"),
        ("unit_tests.0", "unit_tests: [{name: a, model: b, expect: {rows: []}, givn: []}]"),
        ("macros.0.arguments.0", "macros: [{name: a, arguments: [{name: b, typ: c}]}]"),
        (
            "data_tests.0.unique.config",
            "models: [{name: a, columns: [{name: b, data_tests: [{unique: {config: {x: c}}}]}]}]",
        ),
        ("line 1", "models: [{name: a, description: b, description: c}]"),
    ],
)
def test_a_misspelt_key_of_a_property_file_is_found(where, misspelt):
    found = problems(misspelt, resources_schema())
    assert len(found) == 1
    assert where in found[0]


@pytest.mark.parametrize(
    "misspelt", ["+materialised: table", "materialized: table", "+contract: {enforce: true}"]
)
def test_a_misspelt_key_of_the_project_file_is_found(misspelt):
    found = problems(f"{{name: a, models: {{a: {{{misspelt}}}}}}}", project_schema())
    assert len(found) == 1
    assert misspelt.split(":")[0] in found[0]


def test_free_places_stay_free():
    free = """
    models:
      - name: a
        config: {meta: {anything: {goes: here}}}
        columns:
          - name: b
            config: {meta: {anything: [goes]}}
            data_tests:
              - unique
              - own_test: {arguments: {any: argument}, config: {severity: warn, where: "c"}}
    unit_tests:
      - name: t
        model: a
        given: [{input: ref('b'), rows: [{c: 2024-01-01}]}]
        expect: {rows: [{d: null}]}
    """
    assert problems(free, resources_schema()) == []
