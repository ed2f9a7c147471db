"""What a provider is and takes, in words: read off its adapter and the catalog, so that it cannot differ from what is checked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from types import MappingProxyType

from orchestrator.jobs.spec import Json
from orchestrator.providers.base import (
    CancelProvider,
    Capabilities,
    Family,
    Inputs,
    Provider,
    StreamProvider,
    UploadProvider,
    WebhookProvider,
)
from orchestrator.providers.catalog import Api, Catalog, Model
from orchestrator.providers.mainline import Mainline
from orchestrator.providers.prices import Price
from orchestrator.providers.registry import Registry
from orchestrator.providers.rules import ImageRule
from orchestrator.providers.tiers import Tier

REFERENCES: Mapping[Inputs, str] = MappingProxyType(
    {
        Inputs.NONE: "none",
        Inputs.URL_ONLY: "URLs",
        Inputs.UPLOAD: "files (uploaded), URLs",
        Inputs.SERVED: "files (served), URLs",
        Inputs.CONTENT: "files, URLs",
    }
)
"""How local images reach an API -> what may be given."""

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "mask": "a mask says which part of the first reference may change",
        "partial_images": "unfinished images are saved as they come",
        "conversation": "`continues` goes on where another job ended, by what the API remembers",
        "lookup": "a task whose id was lost is found again by our own reference",
        "refetch": "a dead link is no lost image: the task gives a fresh one",
        "trusts_expiry": "the API's own word on how long its links live is believed",
        "inline_results": "images stand in the answer to the question for the task",
        "callback": "a request can name a URL to be called when its task ends",
        "webhook": "calls about tasks are understood",
        "cancel": "a running task can be stopped",
        "upload": "local images can be uploaded once for many jobs",
    }
)
"""Feature -> what it means to a user, in the order in which features are named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFacts:
    """What a model costs; amounts are decimal text in USD."""

    as_of: date | None
    source: str | None
    per_image: tuple[Mapping[str, str | None], ...]
    """Rows of variant, size, usd; a variant or size that is None stands for any."""
    by: str
    """The parameter whose values the variants are."""
    per_million_tokens: Mapping[str, str]
    per_unit: str | None
    """USD for one of the provider's own units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """One model at one API, each limit in the words of the check that keeps it; None is not limited, or not known."""

    name: str
    when: str | None
    source: str | None
    snapshots: tuple[str, ...]
    retires: date | None
    successor: str | None
    prompt: str | None
    n: str
    size: str | None
    references: str
    mask: str
    params: Mapping[str, str]
    refused: Mapping[str, str]
    price: PriceFacts | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderFacts:
    """One adapter or family."""

    provider: str
    members: tuple[str, ...] = ()
    """The adapters of a family; none for an adapter."""
    base_url: str | None
    key_variable: str
    hosts: tuple[str, ...]
    shape: str
    references: str
    features: tuple[str, ...]
    """Keys of `FEATURES`, or names of capabilities that no word is known for."""
    options: Mapping[str, str]
    tiers: Mapping[str, Tier]
    """What an account may send per minute, by the tier it is in."""
    models: tuple[ModelFacts, ...] = ()
    text_models: tuple[Mainline, ...] = ()
    """Those that call the image models, where the API has both."""


def describe(registry: Registry, identifier: str) -> ProviderFacts:
    """Return what is known of an adapter or a family; raise `UnknownProvider` with the names there are."""
    found = registry.get(identifier)
    adapters = [found] if isinstance(found, Provider) else [registry.provider(member) for member in found.members]
    capabilities = [adapter.capabilities for adapter in adapters]
    apis = [] if isinstance(found, Family) else _apis(registry.catalog, found.id)
    features = {feature for adapter in adapters for feature in _features(adapter, registry.catalog.api(adapter.id))}
    return ProviderFacts(
        provider=identifier,
        members=found.members if isinstance(found, Family) else (),
        base_url=found.default_base_url or None,
        key_variable=found.default_key_variable,
        hosts=tuple(sorted(registry.known_hosts(identifier))),
        shape=_distinct(each.shape.value for each in capabilities),
        references=REFERENCES[max((each.inputs for each in capabilities), key=list(REFERENCES).index)],
        features=tuple(sorted(features, key=lambda name: ([*FEATURES, name].index(name), name))),
        options={name: _values(allowed) for adapter in adapters for name, allowed in adapter.options().items()},
        tiers={name: tier for adapter in adapters for name, tier in registry.catalog.api(adapter.id).tiers.items()},
        models=tuple(
            _model(model, api.when) for api in apis for model in {each.name: each for each in api.models.values()}.values()
        ),
        text_models=tuple(model for api in apis for model in {each.name: each for each in api.mainline.values()}.values()),
    )


def _features(adapter: Provider, api: Api) -> Iterator[str]:
    """Yield every capability that is simply there, by its own name, and what the adapter's contracts and models add."""
    able = adapter.capabilities
    yield from (each.name for each in fields(Capabilities) if getattr(able, each.name) is True)
    if isinstance(adapter, StreamProvider) and "partial_images" in api.unlisted.params:
        yield "partial_images"
    if isinstance(adapter, UploadProvider) and Inputs.UPLOAD in (able.inputs, *able.references.values()):
        yield "upload"
    if isinstance(adapter, CancelProvider):
        yield "cancel"
    if isinstance(adapter, WebhookProvider):
        yield "webhook"
    if any(model.mask for model in (api.unlisted, *api.models.values())):
        yield "mask"


def _apis(catalog: Catalog, identifier: str) -> list[Api]:
    return [catalog.api(identifier), *(api for api in catalog if api.part_of == identifier)]


def _distinct(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _values(allowed: tuple[Json, ...] | type) -> str:
    return " | ".join(map(str, allowed)) if isinstance(allowed, tuple) else allowed.__name__


def _model(model: Model, when: str | None) -> ModelFacts:
    return ModelFacts(
        name=model.name,
        when=when,
        source=model.source,
        snapshots=model.snapshots,
        retires=model.retires,
        successor=model.successor,
        prompt=None if model.prompt is None else f"at most {model.prompt} characters",
        n=model.n.wanted,
        size=model.size.wanted if model.size else None,
        references=_images(model.references),
        mask=_images(model.mask) if model.mask else "none",
        params={name: rule.wanted for name, rule in model.params.items()},
        refused=model.refused,
        price=_price(model.price) if model.price else None,
    )


def _images(rule: ImageRule) -> str:
    """Return what images are taken, or `none`; `any` where nothing is known."""
    if rule.most == 0:
        return "none"
    number = "" if rule.most is None else f"{rule.least} to {rule.most}"
    formats = "/".join(rule.formats or ())
    size = f"at most {rule.most_bytes} bytes" if rule.most_bytes is not None else ""
    needs = ("square", rule.square), ("with alpha", rule.alpha), ("as large as the first reference", rule.same_size)
    said = [number, formats, size, *(word for word, is_needed in needs if is_needed)]
    return ", ".join(word for word in said if word) or "any"


def _price(price: Price) -> PriceFacts:
    rates = asdict(price.rates) if price.rates else {}
    return PriceFacts(
        as_of=price.as_of,
        source=price.source,
        per_image=tuple(
            {"variant": variant, "size": size, "usd": f"{amount:f}"} for (variant, size), amount in price.table.items()
        ),
        by=price.by,
        per_million_tokens={name: f"{rate:f}" for name, rate in rates.items()},
        per_unit=None if price.unit is None else f"{price.unit:f}",
    )
