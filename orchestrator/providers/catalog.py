"""What is known of models: limits, prices, life. It is data: `catalog/*.yaml` of this package, and whatever a user lays over it.

The shape is provider -> `{hosts, unlisted, models: {NAME: MODEL}, mainline: {NAME: TEXT MODEL}}`; `unlisted` holds the rules for
a model nobody listed and its `params` are every field the API knows, in the order they are sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources

import yaml

from orchestrator.jobs.spec import Json
from orchestrator.providers.mainline import Mainline, read_mainline
from orchestrator.providers.price_list import read_price
from orchestrator.providers.prices import Price
from orchestrator.providers.rules import ImageRule, ValueRule, read_images, read_value
from orchestrator.providers.section import Section, day, text, text_by_name, texts, whole
from orchestrator.providers.sizes import SizeRule, read_sizes
from orchestrator.providers.tiers import Tier, read_tiers

_ANY_NUMBER = ValueRule(kind="whole", least=1)
_ANY_IMAGES = ImageRule()


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """One model at one API; what is None is not known and not checked."""

    name: str
    source: str | None = None
    """Where the facts stand, e.g. "providers.md 5.3"."""
    snapshots: tuple[str, ...] = ()
    """Dated names of the same model."""
    retires: date | None = None
    """The day from which the API's own hosts refuse it."""
    successor: str | None = None
    prompt: int | None = None
    """Characters at most."""
    n: ValueRule = _ANY_NUMBER
    size: SizeRule | None = None
    params: Mapping[str, ValueRule] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    """Fields that must not be sent, each with the reason."""
    references: ImageRule = _ANY_IMAGES
    mask: ImageRule | None = None
    """None: no masks."""
    price: Price | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """Everything known of one adapter's API."""

    id: str
    part_of: str | None = None
    """The adapter that these rules belong to, where it has more than one endpoint; else they belong to the adapter `id`."""
    when: str | None = None
    """By which setting of the account that endpoint is reached."""
    hosts: frozenset[str] = frozenset()
    """The provider's own hosts; elsewhere a relay answers, with names and prices of its own."""
    unlisted: Model
    models: Mapping[str, Model] = field(default_factory=dict)
    """By name and by snapshot."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    mainline: Mapping[str, Mainline] = field(default_factory=dict)
    """Text models that call the image models, by name and by snapshot; the first is the one to use unless told otherwise."""

    def rules(self, name: str) -> Model:
        """Return the rules for a model, listed or not."""
        return self.models.get(name, self.unlisted)


class Catalog:
    """All APIs. Never changes: `overlay` returns another one."""

    def __init__(self, data: Mapping[str, Json]) -> None:
        """Check and keep `data`; raise `BadInput` with everything that is wrong in it."""
        self._data = data
        section = Section(data, "catalog")
        self._apis = {name: _read_api(inner, name) for name, inner in section.sections()}
        section.check()

    @classmethod
    def builtin(cls) -> "Catalog":
        """Return the catalog of this package, read once."""
        return _builtin()

    def overlay(self, data: Mapping[str, Json]) -> "Catalog":
        """Return this catalog with a user's mapping of the same shape laid over it; raise `BadInput` as the constructor does."""
        return Catalog(_merged(self._data, data))

    def api(self, provider: str) -> Api:
        """Return what is known of an adapter's API: nothing, for an adapter without an entry."""
        return self._apis.get(provider) or Api(id=provider, unlisted=Model(name="unlisted"))

    def successor(self, text: str) -> tuple[str, str] | None:
        """Return the longest retiring model name that stands in `text`, and the model to use instead."""
        models = (model for api in self for model in api.models.values() if model.successor)
        named = {name: model.successor for model in models for name in (model.name, *model.snapshots) if name in text}
        return max(((name, heir) for name, heir in named.items() if heir), key=lambda both: len(both[0]), default=None)

    def __iter__(self) -> Iterator[Api]:
        return iter(self._apis.values())


def _read_api(section: Section, name: str) -> Api:
    hosts, part_of, when = section.read("hosts", texts) or (), section.read("part_of", text), section.read("when", text)
    tiers = read_tiers(section.section("tiers"))
    unlisted = _read_model(section.section("unlisted") or Section(None, name), "unlisted", Model(name="unlisted"))
    models: dict[str, Model] = {}
    for model_name, inner in (section.section("models") or Section(None, name)).sections():
        model = _read_model(inner, model_name, unlisted)
        models |= dict.fromkeys((model_name, *model.snapshots), model)
    mainline: dict[str, Mainline] = {}
    for text_name, inner in (section.section("mainline") or Section(None, name)).sections():
        text_model = read_mainline(inner, text_name)
        mainline |= dict.fromkeys((text_name, *text_model.snapshots), text_model)
    section.close()
    return Api(
        id=name,
        part_of=part_of,
        when=when,
        hosts=frozenset(hosts),
        unlisted=unlisted,
        models=models,
        tiers=tiers,
        mainline=mainline,
    )


def _read_model(section: Section, name: str, base: Model) -> Model:
    """Return a model whose `n`, images and refusals are those of `base` unless it has its own; prices are never inherited."""
    n, size, references, mask, price = (section.section(part) for part in ("n", "size", "references", "mask", "price"))
    params = section.section("params")
    model = Model(
        name=name,
        source=section.read("source", text),
        snapshots=section.read("snapshots", texts) or (),
        retires=section.read("retires", day),
        successor=section.read("successor", text),
        prompt=section.read("prompt", whole),
        n=read_value(n) if n else base.n,
        size=read_sizes(size) if size else None,
        params={field: read_value(rule) for field, rule in params.sections()} if params else {},
        refused={**base.refused, **(section.read("refused", text_by_name) or {})},
        references=read_images(references) if references else base.references,
        mask=read_images(mask) if mask else base.mask,
        price=read_price(price) if price else None,
    )
    section.close()
    return model


def _merged(base: Json, over: Json) -> Json:
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    return {**base, **{name: _merged(base.get(name), value) for name, value in over.items()}}


@cache
def _builtin() -> Catalog:
    data: dict[str, Json] = {}
    folder = resources.files("orchestrator.providers").joinpath("catalog")
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            content = yaml.safe_load(entry.read_text(encoding="utf-8"))
            # Names that begin with x- only hold anchors.
            data |= {name: value for name, value in content.items() if not name.startswith("x-")}
    return Catalog(data)
