"""`providers`: what is supported, with features, limits and prices."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.cli.columns import print_columns
from orchestrator.cli.event_words import json_line
from orchestrator.cli.options import Voice, Where
from orchestrator.cli.outcome import Refused
from orchestrator.cli.settings import app_of
from orchestrator.cli.words import harmless
from orchestrator.providers.describing import FEATURES, ModelFacts, PriceFacts, ProviderFacts, describe
from orchestrator.providers.mainline import Mainline
from orchestrator.providers.registry import Registry, UnknownProvider


async def providers(where: Where, voice: Voice) -> int:
    """Print every adapter and family and return 0; raise `BadInput` where the settings are wrong."""
    registry = _registry(where)
    found = [describe(registry, identifier) for identifier in registry.ids()]
    if voice.json:
        for facts in found:
            print(json_line(_short_record(facts)))
    else:
        print_columns(
            ("PROVIDER", "ANSWERS", "KEY", "REFERENCES", "FEATURES", "MODELS"), [list(_cells(facts)) for facts in found]
        )
    return 0


async def show(name: str, where: Where, voice: Voice) -> int:
    """Print all that is known of one provider and return 0; raise `Refused` for a name that nobody has."""
    registry = _registry(where)
    try:
        facts = describe(registry, name)
    except UnknownProvider as error:
        raise Refused(str(error)) from error
    print(json_line(asdict(facts)) if voice.json else "\n".join(map(harmless, _lines(facts))))
    return 0


def _registry(where: Where) -> Registry:
    """Return the registry over the catalog as the user's settings change it."""
    app = app_of(where)
    app.problems.raise_if_any()
    return app.registry


def _short_record(facts: ProviderFacts) -> dict[str, Any]:
    return {**asdict(facts), "models": [model.name for model in facts.models], "text_models": [m.name for m in facts.text_models]}


def _cells(facts: ProviderFacts) -> Iterator[str]:
    yield harmless(facts.provider)
    yield facts.shape
    yield harmless(facts.key_variable)
    yield facts.references
    yield ", ".join(facts.features) or "-"
    names = dict.fromkeys(model.name for model in facts.models)
    yield harmless(f"family of {', '.join(facts.members)}" if facts.members else ", ".join(names))


def _lines(facts: ProviderFacts) -> Iterator[str]:
    yield f"{facts.provider}: answers {facts.shape}"
    yield f"  address         {facts.base_url or 'none of its own: the account needs a base_url'}"
    if facts.hosts:
        yield f"  own hosts       {', '.join(facts.hosts)}"
    yield f"  key             {facts.key_variable}"
    yield f"  references      {facts.references}"
    for feature in facts.features:
        yield f"  {feature:15} {FEATURES[feature]}" if feature in FEATURES else f"  {feature}"
    for name, allowed in facts.options.items():
        yield f"  option          {name}: {allowed}"
    for name, tier in facts.tiers.items():
        yield f"  {f'tier {name}':15} {_limits(asdict(tier))}"
    if facts.members:
        yield f"  members         {', '.join(facts.members)}; `providers show` each for its models"
    for model in facts.models:
        yield from _model_lines(model)
    for text_model in facts.text_models:
        yield from _text_model_lines(text_model)


def _limits(tier: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {limit}" for name, limit in tier.items() if limit is not None)


def _model_lines(model: ModelFacts) -> Iterator[str]:
    yield f"  {model.name}" + (f" (with {model.when})" if model.when else "")
    names = ("source", "prompt", "n", "size", "references", "mask")
    known = {name: getattr(model, name) for name in names}
    known["snapshots"] = ", ".join(model.snapshots)
    known["retires"] = _life(model)
    for name, value in {**known, **model.params}.items():
        if value:
            yield f"    {name:18} {value}"
    for name, reason in model.refused.items():
        yield f"    {name:18} not taken: {reason}"
    yield from _price_lines(model.price) if model.price else ["    price              not known; say it in the account's prices"]


def _life(model: ModelFacts | Mainline) -> str:
    if model.retires is None:
        return ""
    return f"{model.retires}, at the provider's own hosts" + (f"; use {model.successor}" if model.successor else "")


def _price_lines(price: PriceFacts) -> Iterator[str]:
    for row in price.per_image:
        chosen = ", ".join(value for value in (_named(price.by, row["variant"]), row["size"]) if value)
        yield f"    price              ${row['usd']} an image" + (f" ({chosen})" if chosen else "")
    if price.per_million_tokens:
        yield f"    price              {_rates(price.per_million_tokens)} for a million tokens"
    if price.per_unit is not None:
        yield f"    price              ${price.per_unit} for one of its own units"
    yield f"    price as of        {price.as_of} ({price.source})"


def _named(by: str, variant: str | None) -> str | None:
    return None if variant is None else f"{by} {variant}"


def _rates(rates: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ${rate}" for name, rate in rates.items())


def _text_model_lines(model: Mainline) -> Iterator[str]:
    yield f"  {model.name} (a text model that calls them: params.mainline_model)"
    if model.tokens_in is not None and model.tokens_out is not None:
        cost = _rates({"in": f"{model.tokens_in:f}", "out": f"{model.tokens_out:f}"})
        yield f"    price              {cost} for a million tokens"
        yield f"    price as of        {model.as_of} ({model.source})"
    if model.retires:
        yield f"    retires            {_life(model)}"
