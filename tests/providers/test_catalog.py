import re
from datetime import date
from importlib import resources

import pytest
import yaml

from orchestrator.jobs.places import BadInput
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.rules import ValueRule
from orchestrator.providers.sizes import SizeGrid, SizeList

from .making import RELAY, account, errors, images, later, spec, warnings

GRID = SizeGrid(multiple=16, longest=3840, ratio=3, least_pixels=655_360, most_pixels=8_294_400, also=("auto",))


def test_every_model_names_the_source_of_its_facts_and_every_price_its_date() -> None:
    models = [model for api in Catalog.builtin() for model in api.models.values()]
    assert all(model.source for model in models)
    prices = [model.price for model in models if model.price]
    assert all(price.as_of and price.source for price in prices)
    assert len(prices) > 15


def test_sources_are_documents_that_users_have_too() -> None:
    for api in Catalog.builtin():
        sources = [model.source for model in api.models.values()] + [model.source for model in api.mainline.values()]
        sources += [model.price.source for model in api.models.values() if model.price]
        assert [source for source in sources if re.search(r"\.md\b|seed", source or "")] == []


def test_every_param_of_a_model_has_a_place_in_its_apis_order() -> None:
    for api in Catalog.builtin():
        for model in api.models.values():
            assert set(model.params) <= set(api.unlisted.params), (api.id, model.name)


def test_every_retired_model_names_a_successor_that_lives() -> None:
    for api in Catalog.builtin():
        for model in api.models.values():
            if model.retires and api.id != "openai-variations":  # nothing else makes variations
                assert api.rules(model.successor or "").retires is None, model.name
                assert model.successor in api.models


def test_no_model_name_stands_in_the_code() -> None:
    # One adapter bears the name of its model.
    names = {name for api in Catalog.builtin() for name in api.models} - {api.id for api in Catalog.builtin()}
    folder = resources.files("orchestrator.providers")
    for file in folder.iterdir():
        if file.name.endswith(".py"):
            code = file.read_text(encoding="utf-8")
            assert not [name for name in names if f'"{name}"' in code], file.name


def test_the_catalog_is_read_once() -> None:
    assert Catalog.builtin() is Catalog.builtin()


def test_a_snapshot_has_the_rules_of_its_model() -> None:
    api = Catalog.builtin().api("openai-images")
    assert api.rules("gpt-image-2-2026-04-21") is api.rules("gpt-image-2")


def test_an_overlay_adds_models_and_changes_single_facts_of_known_ones() -> None:
    over = {
        "openai-images": {
            "models": {
                "gpt-image-9": {"prompt": 10, "size": {"values": ["1x1"]}},
                "gpt-image-2": {"prompt": 7},
            }
        }
    }
    catalog = Catalog.builtin().overlay(over)
    api = catalog.api("openai-images")
    assert api.rules("gpt-image-9").prompt == 10
    assert (api.rules("gpt-image-2").prompt, api.rules("gpt-image-2").n.most) == (7, 10)
    assert Catalog.builtin().api("openai-images").rules("gpt-image-2").prompt == 32000
    assert errors(images(catalog=catalog), model="gpt-image-9", size="2x2")[0].startswith("size must be one of 1x1")


def test_an_overlay_is_checked_whole_and_every_problem_is_named() -> None:
    over = {
        "mine": {
            "hots": ["relay.example"],
            "models": {
                "a": {"prompt": "long", "n": {"least": -1}, "size": {"multiple": 16}, "retires": "soon"},
                "b": {"price": {"per_image": 0.02, "rates": {"text_in": "5"}, "factors": {"low": "x"}}},
                "c": {"params": {"quality": {"kind": "word"}}, "references": [], "refused": {"x": 1}},
            },
        }
    }
    with pytest.raises(BadInput) as caught:
        Catalog.builtin().overlay(over)
    text = str(caught.value)
    for claim in (
        "catalog.mine.hots is not known - did you mean hosts?",
        "catalog.mine.models.a.prompt must be a whole number from 0; got long",
        "catalog.mine.models.a.n.least must be a whole number from 0; got -1",
        "catalog.mine.models.a.size needs either values, or all of multiple, longest, ratio, least_pixels, most_pixels",
        "catalog.mine.models.a.retires must be a date such as 2026-12-01; got soon",
        'catalog.mine.models.b.price.per_image must be an amount of USD as text, such as "0.02"; got 0.02',
        "catalog.mine.models.b.price.rates needs text_in, image_in and image_out",
        "catalog.mine.models.b.price.factors.low must be a whole number from 0; got x",
        "catalog.mine.models.b.price needs as_of and source",
        "catalog.mine.models.c.params.quality.kind must be one of text, whole, flag; got word",
        "catalog.mine.models.c.references must be a mapping; got []",
        "catalog.mine.models.c.refused must be a mapping of texts",
    ):
        assert claim in text


def test_the_files_hold_no_floats() -> None:
    folder = resources.files("orchestrator.providers").joinpath("catalog")
    for file in folder.iterdir():
        assert not _floats(yaml.safe_load(file.read_text(encoding="utf-8"))), file.name


def _floats(value: object) -> list[float]:
    if isinstance(value, dict):
        return [found for inner in value.values() for found in _floats(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _floats(inner)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize(
    ("size", "allowed", "nearest"),
    [
        ("1024x640", True, "1024x640"),  # exactly the fewest pixels
        ("1008x640", False, None),  # just below
        ("2880x2880", True, "2880x2880"),  # exactly the most pixels
        ("2896x2880", False, None),
        ("3840x2160", True, "3840x2160"),
        ("3856x1600", False, None),  # an edge just too long
        ("3840x1280", True, "3840x1280"),  # exactly 3:1
        ("3840x1264", False, None),
        ("1920x1080", False, "1920x1088"),
        ("auto", True, None),
        ("1:1", False, None),
        ("autoo", False, "auto"),
        ("01024x1024", False, None),
        ("1024X1024", False, None),
    ],
)
def test_the_pixel_rule_of_newer_models(size: str, allowed: bool, nearest: str | None) -> None:
    assert GRID.allows(size) is allowed
    if not allowed:
        assert GRID.nearest(size) == nearest


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ("9:9", "1:1"),
        ("4:6", "2:3"),
        ("1024x1024", "1:1"),
        ("1536x1024", "3:2"),
        ("9:16", "2:3"),
        ("1;1", "1:1"),
        ("large", None),
    ],
)
def test_a_wrong_size_is_answered_with_the_nearest_shape(size: str, nearest: str | None) -> None:
    assert SizeList(values=("1:1", "2:3", "3:2")).nearest(size) == nearest


def test_a_rule_of_whole_numbers_takes_neither_texts_nor_truths() -> None:
    rule = ValueRule(kind="whole", least=1, most=4)
    assert (rule.wanted, rule.allows(4), rule.allows(5), rule.allows(True), rule.allows("4")) == (
        "a whole number from 1 to 4", True, False, False, False,
    )  # fmt: skip


@pytest.mark.parametrize("retired", ["gpt-image-1", "dall-e-3", "dall-e-2"])
def test_a_retired_model_is_refused_at_openai_with_date_and_successor(retired: str) -> None:
    found = errors(images(), model=retired)
    assert len(found) == 1
    assert found[0].startswith(f"model {retired} was shut down at api.openai.com on 2026-")
    assert "; use gpt-image-2" in found[0]


def test_a_retired_model_may_be_used_with_the_users_word_and_at_relays_and_in_simulation() -> None:
    assert not errors(images(), model="gpt-image-1", at={"allow_retired": True})
    for base_url in (RELAY, "http://127.0.0.1:8765", "simulator"):
        assert (
            list(images().validate(spec("openai-images", model="gpt-image-1"), account("openai-images", base_url=base_url))) == []
        )


@pytest.mark.parametrize(
    ("day", "severity"),
    [
        (date(2026, 10, 31), None),
        (date(2026, 11, 1), "warning"),
        (date(2026, 11, 30), "warning"),
        (date(2026, 12, 1), "error"),
    ],
)
def test_a_model_that_goes_within_thirty_days_is_warned_about(day: date, severity: str | None) -> None:
    adapter = images(today=later(day))
    found = {"warning": warnings(adapter, model="gpt-image-1.5"), "error": errors(adapter, model="gpt-image-1.5")}
    assert [name for name, messages in found.items() if messages] == ([severity] if severity else [])


def test_an_unlisted_model_is_a_warning_at_the_providers_own_host_and_nothing_at_a_relay() -> None:
    found = warnings(images(), model="gpt-imgae-2")
    assert found == [
        (
            "model gpt-imgae-2 is not in the catalog of openai-images; "
            "it is sent as it is, limits unchecked - did you mean gpt-image-2?"
        )
    ]
    assert not warnings(images(), model="gpt-imgae-2", at={"base_url": "https://relay.example/api"})
    assert not errors(images(), model="new", size="7x7", params={"quality": "ultra"}, prompt="x" * 99_999)
