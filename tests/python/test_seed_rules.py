"""A typo in a seed stops the build with a message that names the row, before anything reads it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import yaml

from conftest import PROJECT, BuildLake, Warehouse, copy_project, order, write_lake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# seed, row as it stands in the file, what the message says of it
TYPOS = [
    (
        "value_map",
        "ordres,status,open,placed",
        "table_name and column_name name no column with a closed list",
    ),
    (
        "value_map",
        "orders,country,UK,GB",
        "table_name and column_name name no column with a closed list",
    ),
    (
        "value_map",
        "orders,,open,placed",
        "table_name and column_name name no column with a closed list",
    ),
    ("value_map", "orders,status,sent,shiped", "value is no word of that list"),
    ("value_map", "orders,status,gone,", "value is no word of that list"),
    ("value_map", "tickets,channel,in person,other", ""),
    (
        "value_map",
        "orders,status,Paid,placed",
        "source_value is a word of that list, and stays what it is",
    ),
    ("value_map", "orders,status,Placed,placed", ""),
    ("value_map", "orders,status,,placed", "source_value is empty"),
    ("value_map", "orders,status,late ,placed", "source_value begins or ends with a blank"),
    (
        "value_map",
        "orders,status,Pending,paid",
        "another row has the same table_name, column_name, lower(source_value)",
    ),
    ("traffic_rules", "agent,bot", "field is none of user_agent, page_url, anonymous_id"),
    ("traffic_rules", ",bot", "field is none of user_agent, page_url, anonymous_id"),
    ("traffic_rules", "page_url,", "pattern is no regular expression"),
    ("traffic_rules", "page_url,/(admin", "pattern is no regular expression"),
    ("traffic_rules", "page_url, /preview ", ""),
    ("event_names", "View_Item,product_view,false", "another row has the same lower(source_name)"),
    ("event_names", ",product_view,false", "source_name is empty"),
    ("event_names", "zoomed,,true", "event_name is empty"),
    ("event_names", "Quiz Completed,Quiz Completed,true", ""),
    ("event_names", "swiped,swiped,", "is_interaction is empty"),
    ("event_names", "3d_view,model_viewed_3d,true", ""),
    ("event_names", "quiz_done,quiz_done,true", ""),
    (
        "identity_exclusions",
        "customer,c-1,,",
        "identifier_kind is none of customer_id, email_hash, anonymous_id",
    ),
    ("identity_exclusions", "customer_id,,,", "identifier is empty"),
    (
        "identity_exclusions",
        "customer_id,c-2,email_hash,",
        "linked_kind and linked_identifier are not both given or both empty",
    ),
    (
        "identity_exclusions",
        "customer_id,c-3,,abc",
        "linked_kind and linked_identifier are not both given or both empty",
    ),
    (
        "identity_exclusions",
        "customer_id,c-4,email,abc",
        "linked_kind is none of customer_id, email_hash, anonymous_id",
    ),
    (
        "identity_exclusions",
        "customer_id,c-5,customer_id,c-6",
        "two identifiers of one kind have no link",
    ),
    (
        "identity_exclusions",
        "customer_id,c-7,email_hash,ann@x.example",
        "an email_hash has not 20 hexadecimal digits, as dim_identity_links shows it",
    ),
    (
        "identity_exclusions",
        "email_hash,ABCDEF0123456789abcd,,",
        "an email_hash has not 20 hexadecimal digits, as dim_identity_links shows it",
    ),
    ("identity_exclusions", "customer_id,null,email_hash,0123456789abcdef0123", ""),
    ("identity_exclusions", "email_hash,0123456789abcdef0123,anonymous_id,a-2", ""),
    ("identity_exclusions", "anonymous_id,a-1,,", ""),
    (
        "cost_assumptions",
        "cost_of_good_share,Toys,0.5",
        "cost_kind is none of cost_of_goods_share, agent_minute",
    ),
    (
        "cost_assumptions",
        "agent_minute,chat,0.5",
        "only cost_of_goods_share has a category",
    ),
    ("cost_assumptions", "return_handling,,-0.25", "value is empty or negative"),
    ("rfm_segments", "0,,5,5,5,5,5,5", "rfm_segment is empty"),
    ("rfm_segments", "13,Very best,5,5,5,5,5,5", ""),
    ("rfm_segments", "10,best,0,5,5,5,5,5", "recency is no range of 1 to 5"),
    ("rfm_segments", "11,best,5,5,5,4,5,5", "frequency is no range of 1 to 5"),
    ("rfm_segments", "12,best,5,5,5,5,5,", "monetary is no range of 1 to 5"),
    ("lifecycle_stages", "7,sleeping,,,90", "orders_min is empty or negative"),
    ("lifecycle_stages", "8,sleeping,2,1,90", "orders_max is below orders_min"),
    ("lifecycle_stages", "9,sleeping,2,3,-1", "days_since_last_order_max is negative"),
    ("lifecycle_stages", "10,,0,3,", "lifecycle_stage is empty"),
    ("lifecycle_stages", "11,VIP,0,3,", ""),
    ("cost_assumptions", "agent_minute,email,-0.5", "value is empty or negative"),
    ("cost_assumptions", "agent_minute,phone,", "value is empty or negative"),
    ("cost_assumptions", "cost_of_goods_share,Books,40.0", "value is not between 0 and 1"),
    ("cost_assumptions", "cost_of_goods_share,Games,", "value is not between 0 and 1"),
    (
        "cost_assumptions",
        "cost_of_goods_share,,0.5",
        "another row has the same cost_kind, category",
    ),
    (
        "cost_assumptions",
        "cost_of_goods_share,,0.6",
        "another row has the same cost_kind, category",
    ),
    ("cost_assumptions", "cost_of_goods_share,Garden,0.6", ""),
    ("channel_rules", "200,Podcast,,,^podcast$,", "channel_group is no name in lower_snake_case"),
    (
        "channel_rules",
        "201,podcast,audio,,^podcast$,",
        "source_category is none of search, social, shopping, video",
    ),
    ("channel_rules", "202,podcast,,,,", "no condition is given"),
    ("channel_rules", "203,podcast,,,^(pod,", "a pattern is no regular expression"),
    ("channel_rules", "204,podcast,,,^podcast$,", ""),
    (
        "traffic_sources",
        "news,^news$",
        "source_category is none of search, social, shopping, video",
    ),
    ("traffic_sources", "search,^(find", "source_pattern is no regular expression"),
    ("traffic_sources", "search,^finder$", ""),
    ("intent_rules", "200,buy,,cart,", "intent is none of research, purchase, support"),
    (
        "intent_rules",
        "201,purchase,add_to_card,,",
        "event_name is no event: list it in seed event_names",
    ),
    ("intent_rules", "202,purchase,,,", "no condition is given"),
    ("intent_rules", "203,purchase,,,^/(cart", "page_pattern is no regular expression"),
    ("intent_rules", "204,purchase,model_viewed_3d,,", ""),
    (
        "funnel_steps",
        "sharing,1,shared,socialshare,,",
        "event_name is no event: list it in seed event_names",
    ),
    (
        "funnel_steps",
        ",1,shared,social_share,,",
        "funnel_name is empty",
    ),
    (
        "funnel_steps",
        "reading,1,read,page_view,pagetype = blog,",
        "filter is not made of conditions",
    ),
    (
        "funnel_steps",
        "looking,1,read,page_view,page_type blog,",
        "filter is not made of conditions",
    ),
    (
        "funnel_steps",
        "seeing,1,read,page_view,page_type = blog and load_time_ms => 3,",
        "filter is not made of conditions",
    ),
    ("funnel_steps", "Waiting,1,To read,page_view,,24.0", ""),
    ("funnel_steps", "Waiting,2,Done,Quiz Completed,,", "window_hours is empty"),
    ("funnel_steps", "Waiting,3,Bought,purchase,,0.0", "window_hours is not above 0"),
    ("funnel_steps", "skipping,2,read,page_view,,24.0", "the funnel has a gap before this step"),
    ("funnel_steps", "turning,1,read,page_view,page_type = blog and properties.depth >= 3,", ""),
    (
        "funnel_steps",
        "leaving,1,left,bounce,,",
        "event_name is no event: list it in seed event_names",
    ),
    ("funnel_steps", "narrowing,1,nothing_found,search_without_results,page_type = search,", ""),
    (
        "micro_conversions",
        "zoomed,image_zoom,,1,consider,3,false",
        "event_name is no event: list it in seed event_names",
    ),
    (
        "micro_conversions",
        "slow_page,page_view,load_time = 3,-1,discover,1,false",
        "filter is not made of conditions",
    ),
    *(
        ("micro_conversions", f"{name},page_view,{text},1,discover,1,false", mistake)
        for mistake, texts in {
            "filter is not made of conditions": {
                "loud_and": "device_type = mobile AND quantity > 1",
                "either_or": "device_type = mobile or device_type=tablet",
                "signs": "device_type = mobile && properties.depth>=2",
                "late_and": "page_type = blog and device_type = mobile And quantity != 1",
                "commas": '"page_type = product, quantity >1"',
                "quoted": "error_code = '404'",
                "quoted_first": "error_code = '404' and page_type = blog",
                "quoted_twice": 'page_type = blog and error_code = "404"',
            },
            "": {
                "whole_title": "search_term = this or that",
                "two_brands": "search_term = Black AND Decker",
                "own_sign": "page_url = /a?b=1&c=2 and search_term = a || b",
                "inches": "search_term = frame 8'",
                "decade": "search_term = '60s and page_type = blog",
                "inner": "search_term = a 'b' and search_term != 6\" pipe",
                "enumerated": '"search_term = size, country and page_url = /a,country=DE"',
            },
        }.items()
        for name, text in texts.items()
    ),
    ("micro_conversions", "long_read,page_view,,1,,2,false", "stage is empty"),
    *(
        (
            "micro_conversions",
            f"{name},page_view,page_type = blog,1,skim,{number},false",
            "the stage has another stage_number in another row",
        )
        for name, number in (("far_read", 7), ("farther_read", 8))
    ),
    *(
        ("micro_conversions", f"{name},page_view,{text},1,consider,3,true", mistake)
        for name, text, mistake in (
            ("mine", "email = a", "filter may not look at email"),
            ("not_mine", "country = XX and email!=a", "filter may not look at email"),
            ("told", "properties.email = yes", ""),
        )
    ),
    ("micro_conversions", "wide_read,page_view,,1,reading,,false", "stage_number is no whole"),
    (
        "micro_conversions",
        "deep_read,page_view,,0,research,2,false",
        "polarity is neither 1 nor -1",
    ),
    (
        "micro_conversions",
        "quick_read,page_view,,1,research,2,",
        "once_per_session is neither true nor false",
    ),
    (
        "micro_conversions",
        "login,page_view,page_type = login,1,consider,3,true",
        "micro_conversion is the name of an event and means another",
    ),
    (
        "micro_conversions",
        "model_viewed_3d,page_view,page_type = model,1,consider,3,true",
        "micro_conversion is the name of an event and means another",
    ),
    ("micro_conversions", "Quiz Completed,Quiz Completed,,1,consider,3,true", ""),
    (
        "micro_conversions",
        "quiz_done,quiz_done,properties.seconds >= 30,1,consider,3,true",
        "",
    ),
    *(
        ("micro_conversions", f"number_{place},page_view,{text},1,consider,3,true", mistake)
        for mistake, texts in {
            "filter is not made of conditions": ["quantity >= 1O", "event_value = much"],
            "": ["quantity >= 10", "event_value > -1.5e3", "load_time_ms < .5 and country = many"],
        }.items()
        for place, text in enumerate(texts, start=len(mistake))
    ),
    (
        "micro_conversions",
        "mobile_bounce,bounce,device_type = mobile,-1,discover,1,true",
        "bounce is of a whole session and takes no filter",
    ),
    ("touch_kinds", "wishlist_aded,true", "touch_kind is no event"),
    ("touch_kinds", "Chat,true", "touch_kind is no event"),
    ("touch_kinds", "Quiz Completed,true", ""),
    ("touch_kinds", "wishlist_added,", "is_attributable is neither true nor false"),
    ("touch_kinds", "search_without_results,false", ""),
    ("micro_conversions", "blog_read,page_view,page_type = blog,1,discover,1,false", ""),
    ("support_sla", "letter,,24.0", "channel is none of chat, email, phone, social, other"),
    ("support_sla", ",low,24.0", "channel is none of chat, email, phone, social, other"),
    ("support_sla", "email,low,", "hours is empty or negative"),
    ("support_sla", "email,lower,-1.0", "hours is empty or negative"),
    ("support_sla", "chat,URGENT,1.0", "another row has the same channel, lower(priority)"),
    ("support_sla", "phone,whenever,0.0", ""),
    ("ad_channels", ",paid_search", "channel is empty"),
    ("ad_channels", "skywriting,", "channel_group is empty"),
    ("ad_channels", "Google_Ads,display", "another row has the same lower(channel)"),
    ("ad_channels", "sandwich board,Outdoor", ""),
]
SEEDS = sorted({seed for seed, _, _ in TYPOS})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


def change_seeds(project: Path, change: Callable[[str, str], str]) -> None:
    """Write each seed anew: what `change` makes of its name and of the text that ships."""
    for seed in SEEDS:
        text = (PROJECT / "seeds" / f"{seed}.csv").read_text()
        (project / "seeds" / f"{seed}.csv").write_bytes(change(seed, text).encode())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("lake"), {"storefront/orders": [order("o-1")]})


@pytest.fixture(scope="module")
def misspelt(build_lake: BuildLake, lake: Path, project: Path) -> Warehouse:
    """Build with all typos at once: the message of a seed names every row."""

    def with_typos(seed: str, text: str) -> str:
        return text + "".join(f"{row}\n" for name, row, _ in TYPOS if name == seed)

    change_seeds(project, with_typos)
    return build_lake(lake, project=project, check=False)


def message(warehouse: Warehouse, seed: str) -> str:
    found = [line for line in warehouse.output.splitlines() if f"seed {seed}: " in line]
    assert found, warehouse.output
    return found[0]


@pytest.mark.parametrize(("seed", "row", "mistake"), TYPOS, ids=lambda text: text)
def test_each_row_with_a_typo_is_named_and_no_other_row_is(
    misspelt: Warehouse, seed: str, row: str, mistake: str
) -> None:
    text = ",".join(*csv.reader([row]))
    if mistake:
        assert f"{text}: {mistake}" in message(misspelt, seed)
    else:
        assert f"{text}:" not in misspelt.output


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_ship_are_not_named(misspelt: Warehouse, seed: str) -> None:
    named = message(misspelt, seed).count("; ") + 1
    # the row that ships and the row that repeats it are both named
    repeats = {"value_map": 1, "event_names": 1, "support_sla": 1, "ad_channels": 1}.get(seed, 0)
    assert named == sum(bool(typo) for name, _, typo in TYPOS if name == seed) + repeats


@pytest.mark.parametrize(
    ("stages", "mistake"),
    [
        ("", "of any age; no row holds who never bought"),
        ("1,lapsed,1,,", "seed lifecycle_stages: no row holds who never bought"),
        (
            "1,visitor,0,0,|2,lapsed,1,9,",
            "seed lifecycle_stages: no row holds any number of orders",
        ),
        ("1,all,0,,90", "seed lifecycle_stages: no row holds any number of orders of any age"),
        ("1,visitor,0,0,|2,once,1,1,90|3,often,2,,", "3,often,2,,: fewer orders of any age"),
        ("1,visitor,0,0,|2,once,1,1,|3,often,3,,", "3,often,3,,: fewer orders of any age"),
        ("1,often,4,,|2,visitor,0,0,|3,once,1,1,|4,some,2,3,|5,more,2,,9", ""),
        ("1,everybody,0,,", ""),
    ],
)
def test_stages_that_leave_somebody_out_are_refused(
    build_lake: BuildLake, lake: Path, project: Path, stages: str, mistake: str
) -> None:
    header = (PROJECT / "seeds" / "lifecycle_stages.csv").read_text().splitlines()[0]
    (project / "seeds" / "lifecycle_stages.csv").write_text(
        "\n".join([header, *stages.split("|"), ""])
    )
    built = build_lake(lake, project=project, select="lifecycle_stages", check=False)
    assert built.succeeded == (not mistake)
    assert mistake in built.output


def test_every_seed_has_rules() -> None:
    seeds = yaml.safe_load((PROJECT / "seeds" / "_seeds__seeds.yml").read_text())["seeds"]
    without = [seed["name"] for seed in seeds if "seed_rows" not in str(seed.get("data_tests"))]
    assert without == []


def test_nothing_that_reads_the_seed_is_built(misspelt: Warehouse) -> None:
    assert not misspelt.succeeded
    assert "Traceback" not in misspelt.output
    tables = misspelt.query("select table_name from duckdb_tables() where schema_name <> 'seeds'")
    assert ("stg_storefront__products",) in tables
    assert not {("stg_storefront__orders",), ("stg_web__events",), ("fct_orders",)} & set(tables)


def test_a_value_of_another_type_is_named_with_its_line(
    build_lake: BuildLake, lake: Path, project: Path
) -> None:
    typos = {
        "cost_assumptions": "cost_of_goods_share,Toys,half",
        "event_names": "zoomed,zoomed,ture",
    }
    change_seeds(project, lambda seed, text: text + typos.get(seed, ""))
    select = " ".join(typos)
    built = build_lake(lake, project=project, command="seed", select=select, check=False)
    for seed, row in typos.items():
        lines = (project / "seeds" / f"{seed}.csv").read_text().splitlines()
        assert f"{seed}.csv" in built.output
        assert f"Line: {len(lines)}" in built.output
        assert f"Original Line: {row}" in built.output


def test_seeds_without_rows_and_with_crlf_are_read_like_any_other(
    build_lake: BuildLake, lake: Path, project: Path
) -> None:
    emptied = SEEDS[::2]

    def from_windows(seed: str, text: str) -> str:
        lines = text.splitlines()
        return "".join(f"{line}\r\n" for line in (lines[:1] if seed in emptied else lines))

    change_seeds(project, from_windows)
    built = build_lake(lake, project=project, select="resource_type:seed")
    for seed in SEEDS:
        shipped = len((PROJECT / "seeds" / f"{seed}.csv").read_text().splitlines()) - 1
        rows = 0 if seed in emptied else shipped
        assert built.query(f"select count(*) from seeds.{seed}") == [(rows,)]
    assert not built.query("select * from seeds.traffic_rules where pattern like '%' || chr(13)")


def test_rows_appended_with_other_line_ends_are_read_as_they_stand(
    build_lake: BuildLake, lake: Path, project: Path
) -> None:
    added = {"event_names": '\'zoom\',"a ""b"", c",true', "traffic_rules": "page_url,\\.x\\d"}
    change_seeds(project, lambda seed, text: text + f"{added[seed]}\r\n" if seed in added else text)
    built = build_lake(lake, project=project, command="seed", select=" ".join(added))
    assert built.query("from seeds.event_names where source_name like '%zoom%'") == [
        ("'zoom'", 'a "b", c', True)
    ]
    assert built.query(r"select pattern from seeds.traffic_rules where pattern like '%\d%'") == [
        (r"\.x\d",)
    ]
    shipped = len((PROJECT / "seeds" / "traffic_rules.csv").read_text().splitlines()) - 1
    assert built.query("select count(*) from seeds.traffic_rules") == [(shipped + 1,)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_that_is_no_row_of_its_file_is_named(
    build_lake: BuildLake, lake: Path, project: Path, end: str
) -> None:
    typos = {"event_names": "zoomed,zoomed", "support_sla": 'chat,"low,1', "ad_channels": "a,b,c"}
    change_seeds(project, lambda seed, text: text + typos.get(seed, "") + end)
    select = " ".join(typos)
    built = build_lake(lake, project=project, command="seed", select=select, check=False)
    for seed in typos:
        assert f"seed {seed} (seeds/{seed}.csv)" in built.output
    assert "zoomed,zoomed" in built.output
    assert 'chat,"low,1' in built.output
    assert "values, but Table only has 2 columns" in built.output
    assert "sniff" not in built.output


def test_columns_in_another_order_or_number_are_read_by_name(
    build_lake: BuildLake, lake: Path, project: Path, tmp_path: Path
) -> None:
    change_seeds(project, lambda _, text: text)
    built = build_lake(lake, project=project, command="seed", folder=tmp_path)
    assert built.query("describe seeds.ad_channels")[1][:2] == ("channel_group", "VARCHAR")
    changed = {
        "ad_channels": "remark,channel_group,channel\nours,paid_search,google\n",
        "value_map": "value,column_name,table_name\nplaced,status,orders\n",
    }
    change_seeds(project, changed.get)
    built = build_lake(lake, project=project, command="seed", folder=tmp_path)
    assert built.query("select channel, channel_group, remark from seeds.ad_channels") == [
        ("google", "paid_search", "ours")
    ]
    assert built.query("select table_name, column_name, value from seeds.value_map") == [
        ("orders", "status", "placed")
    ]


def test_numbers_that_would_be_rounded_or_are_none_are_named(
    build_lake: BuildLake, lake: Path, project: Path
) -> None:
    typos = {
        "lifecycle_stages": ["7,sleeping,1.5,2.5,1"],
        "support_sla": ["email,low,nan", "email,lower,-inf"],
        "rfm_segments": ["10.0,best,5.0,5,5,5,5,5.00"],
    }
    change_seeds(
        project, lambda seed, text: text + "".join(f"{row}\n" for row in typos.get(seed, []))
    )
    select = " ".join(typos)
    built = build_lake(lake, project=project, command="seed", select=select, check=False)
    assert (
        "seed lifecycle_stages: 7,sleeping,1.5,2.5,1: orders_min is no whole number"
    ) in built.output
    assert "seed support_sla: email,low,nan: hours is no number; email,lower,-inf" in built.output
    best = "select * from seeds.rfm_segments where rfm_segment = 'best'"
    assert built.query(best) == [(10, "best", 5, 5, 5, 5, 5, 5)]
