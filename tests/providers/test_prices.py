from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.places import BadInput
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.providers.base import Estimate
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.price_list import read_prices
from orchestrator.providers.prices import output_tokens, prompt_tokens

from .making import RELAY, account, edits, errors, images, local, spec, toapis

PUBLISHED = {
    "1024x1024": (196, 439, 1756, 3122, 7024),
    "1024x1536": (158, 343, 1372, 2459, 5488),
    "1536x1024": (158, 343, 1372, 2459, 5488),
    "1024x768": (134, 301, 1204, 2140, 4815),
    "1536x864": (120, 280, 1078, 1917, 4312),
    "1536x1536": (279, 628, 2511, 4464, 10044),
    "2048x1152": (157, 367, 1413, 2511, 5650),
    "2048x2048": (397, 892, 3568, 6343, 14272),
    "3840x2160": (371, 865, 3336, 5930, 13342),
    "2160x3840": (371, 865, 3336, 5930, 13342),
}
IMAGE = Output(base64="aGk=")


def job(**fields: Any) -> Any:
    return spec("openai-images", **fields)


def estimate(at: dict[str, Any] | None = None, **fields: Any) -> Estimate:
    return images().estimate(job(**fields), account("openai-images", **(at or {})))


def done(count: int = 1, usage: dict[str, Any] | None = None, cost: Decimal | None = None) -> Report:
    return Report(status=Status.SUCCEEDED, outputs=(IMAGE,) * count, usage=usage or {}, cost=cost)


@pytest.mark.parametrize("size", PUBLISHED)
def test_the_token_formula_gives_the_published_counts(size: str) -> None:
    assert tuple(output_tokens(factor, size) for factor in (16, 24, 48, 64, 96)) == PUBLISHED[size]


def test_the_formula_knows_nothing_of_words_and_ratios() -> None:
    assert [output_tokens(16, size) for size in ("auto", "1:1", "")] == [None, None, None]
    assert output_tokens(None, "1024x1024") is None


@pytest.mark.parametrize(
    ("quality", "size", "usd"),
    [
        ("low", "1024x1024", "0.006"),
        ("medium", "1024x1536", "0.041"),
        ("high", "1024x1024", "0.211"),
        ("high", "1536x1024", "0.165"),
    ],
)
def test_an_estimate_of_gpt_image_2_meets_the_official_price_per_image(quality: str, size: str, usd: str) -> None:
    found = estimate(params={"quality": quality}, size=size, prompt="a")
    assert found.likely is not None
    assert found.worst is not None
    assert round(found.likely, 3) == Decimal(usd)
    assert found.worst >= found.likely


def test_auto_is_likely_medium_and_square_and_at_worst_the_costliest() -> None:
    asked = estimate(prompt="a")
    assert asked == estimate(prompt="a", params={"quality": "auto"}, size="auto")
    assert asked.likely == estimate(prompt="a", params={"quality": "medium"}, size="1024x1024").likely
    assert asked.worst == estimate(prompt="a", params={"quality": "high"}, size="2880x2880").worst


@given(width=st.integers(1, 240), height=st.integers(1, 240))
def test_no_allowed_size_costs_more_than_the_worst_case(width: int, height: int) -> None:
    rules = Catalog.builtin().api("openai-images").rules("gpt-image-2")
    size = f"{16 * width}x{16 * height}"
    if rules.size and rules.price and rules.size.allows(size):
        most, tokens = output_tokens(96, rules.price.largest_size or ""), output_tokens(96, size)
        assert most is not None
        assert tokens is not None
        assert tokens <= most


def test_n_images_cost_n_times_as_much() -> None:
    one, four = (estimate(model="gpt-image-1.5", params={"quality": "high"}, size="1024x1024", n=n, prompt="") for n in (1, 4))
    assert (one.likely, four.likely) == (Decimal("0.133"), Decimal("0.532"))
    assert (one.worst, four.worst) == (Decimal("0.133"), Decimal("0.532"))


def test_references_and_the_prompt_count_into_an_estimate() -> None:
    fields: dict[str, Any] = {"params": {"quality": "low"}, "size": "1024x1024", "prompt": ""}
    plain = estimate(**fields).likely
    job_with = spec("openai-edits", references=(local(), local()), **fields)
    edited = edits().estimate(job_with, account("openai-edits"))
    assert plain is not None
    assert edited.likely == plain + 2 * 1024 * Decimal(8) / 1_000_000
    assert edited.worst == plain + 2 * 1500 * Decimal(8) / 1_000_000
    assert prompt_tokens("abcde") == (2, 5)
    assert prompt_tokens("猫と犬") == (3, 9)


def test_a_size_without_a_price_is_unknown_and_never_free() -> None:
    assert estimate(model="dall-e-2", size="300x300") == Estimate()
    assert estimate(model="nobody-knows") == Estimate()
    assert toapis().estimate(spec("toapis"), account("toapis")) == Estimate()


def test_a_relay_has_prices_of_its_own_and_the_catalogs_do_not_count_there() -> None:
    assert estimate(at={"base_url": RELAY}) == Estimate()
    own = {"base_url": RELAY, "prices": {"gpt-image-2": {"per_image": "0.02"}}}
    assert estimate(at=own, n=3) == Estimate(likely=Decimal("0.06"), worst=Decimal("0.06"))


@pytest.mark.parametrize("base_url", ["simulator", "http://127.0.0.1:9/x", "http://localhost", "http://[::1]:80"])
def test_a_simulator_charges_what_its_original_charges(base_url: str) -> None:
    assert estimate(at={"base_url": base_url}) == estimate()


def test_an_accounts_prices_by_quality_and_size_win_over_the_catalog_and_over_usage() -> None:
    at = {
        "prices": {
            "gpt-image-2": {"low": {"1024x1024": "0.001", "auto": "0.002"}, "medium": "0.01", "high": {"1024x1024": "0.1"}}
        }
    }
    assert estimate(at=at, params={"quality": "low"}, size="1024x1024").likely == Decimal("0.001")
    assert estimate(at=at, params={"quality": "medium"}, size="4x4").worst == Decimal("0.01")
    assert estimate(at=at) == Estimate(likely=Decimal("0.01"), worst=Decimal("0.1"))
    asked = job(params={"quality": "low"}, size="1024x1024", n=2)
    usage = {"input_tokens": 9, "output_tokens": 10_000}
    assert images().cost(asked, account("openai-images", **at), done(2, usage)) == Decimal("0.002")


@pytest.mark.parametrize(
    "prices",
    [{"m": "0.02"}, {"m": {}}, {"m": {"per_image": 0.02}}, {"m": {"per_image": "-1"}}, {"m": {"per_image": "NaN"}},
     {"m": {"per_image": "cheap"}}, {"m": {"low": {"1024x1024": True}}}, {"m": {"per_image": "1", "per_imag": "1"}}],
)  # fmt: skip
def test_prices_that_cannot_be_read_are_an_error_by_name(prices: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"^prices\.m"):
        read_prices(prices)
    at = {"prices": prices, "base_url": RELAY}
    assert errors(images(), model="m", at=at)[0].startswith("the account's own price cannot be used: prices.m")


def test_toapis_prices_gpt_image_2_by_resolution() -> None:
    at = account("toapis")

    def priced(**fields: Any) -> Estimate:
        return toapis().estimate(spec("toapis", model="gpt-image-2", **fields), at)

    assert priced(params={"resolution": "4K"}, n=2) == Estimate(likely=Decimal("0.050"), worst=Decimal("0.050"))
    assert priced() == Estimate(likely=Decimal("0.015"), worst=Decimal("0.025"))
    asked = spec("toapis", model="gpt-image-2", params={"resolution": "2K"})
    assert toapis().cost(asked, at, done(1)) == Decimal("0.020")
    assert toapis().cost(spec("toapis", model="gpt-image-2"), at, done(1)) is None


@pytest.mark.parametrize(
    ("model", "usd"),
    [("gpt-image-2", "0.125645"), ("gpt-image-1.5", "0.133965"), ("gpt-image-1", "0.167445"), ("gpt-image-1-mini", "0.033548")],
)
def test_what_an_image_did_cost_comes_from_its_usage(model: str, usd: str) -> None:
    usage = {"input_tokens": 109, "output_tokens": 4160, "input_tokens_details": {"text_tokens": 9, "image_tokens": 100}}
    found = images().cost(job(model=model), account("openai-images"), done(1, usage))
    assert found == Decimal(usd)


def test_usage_without_details_is_all_text() -> None:
    found = images().cost(job(), account("openai-images"), done(1, {"input_tokens": 1000, "output_tokens": 1000}))
    assert found == Decimal("0.035")


@pytest.mark.parametrize(
    "usage",
    [{}, {"output_tokens": "10"}, {"output_tokens": -1}, {"output_tokens": 10}, {"input_tokens": True, "output_tokens": 10},
     {"input_tokens": 1, "output_tokens": 10, "svg_usage": {"total_tokens": 5}}],
)  # fmt: skip
def test_usage_that_does_not_say_it_leaves_the_cost_unknown(usage: dict[str, Any]) -> None:
    assert images().cost(job(params={"quality": "low"}, size="1024x1024"), account("openai-images"), done(1, usage)) is None


def test_a_models_table_prices_the_images_that_came_not_those_that_were_asked_for() -> None:
    asked = job(model="dall-e-2", size="512x512", params={"quality": "standard"}, n=4)
    assert images().cost(asked, account("openai-images"), done(3)) == Decimal("0.054")
    assert images().cost(asked, account("openai-images"), done(0)) is None


def test_the_providers_own_figure_wins() -> None:
    assert images().cost(job(), account("openai-images"), done(1, cost=Decimal("0.5"))) == Decimal("0.5")
