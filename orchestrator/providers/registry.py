"""Which adapters and families there are: our own, and those that other packages bring.

A package brings one by an entry point of the group `orchestrator.providers`, named by the adapter's id, that points to a
callable (catalog, today) -> Provider or Family.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Family, Provider, Shape
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.chat import Chat
from orchestrator.providers.gpt_image_2 import GptImage2
from orchestrator.providers.hints import closest, did_you_mean
from orchestrator.providers.openai_edits import OpenAIEdits
from orchestrator.providers.openai_fields import BASE_URL, KEY_VARIABLE
from orchestrator.providers.openai_images import OpenAIImages
from orchestrator.providers.openai_responses import OpenAIResponses
from orchestrator.providers.openai_variations import OpenAIVariations
from orchestrator.providers.tiers import Tier
from orchestrator.providers.toapis import ToApis
from orchestrator.providers.ttapi import TtapiFamily
from orchestrator.providers.ttapi_4o import Ttapi4o
from orchestrator.providers.ttapi_dalle3 import TtapiDallE3
from orchestrator.providers.ttapi_edits import TtapiEdits
from orchestrator.providers.ttapi_images import TtapiImages

GROUP = "orchestrator.providers"

Factory = Callable[[Catalog, Callable[[], date]], Provider | Family]


class UnknownProvider(Exception):
    """No adapter has this id, or it cannot serve the account it was asked for; the text is for the user."""


class OpenAIFamily:
    """Everything behind one OpenAI key: jobs that continue others go to the responses, others with images to the edits."""

    id = "openai"
    members: tuple[str, ...] = (OpenAIImages.id, OpenAIEdits.id, OpenAIResponses.id)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE

    def route(self, spec: JobSpec) -> str:
        """Return the id of the member for this job."""
        if spec.continues is not None:
            return OpenAIResponses.id
        return OpenAIEdits.id if spec.references or spec.mask else OpenAIImages.id


BUILT_IN: Mapping[str, Factory] = MappingProxyType(
    {
        OpenAIFamily.id: lambda _catalog, _today: OpenAIFamily(),
        OpenAIImages.id: OpenAIImages,
        OpenAIEdits.id: OpenAIEdits,
        OpenAIResponses.id: OpenAIResponses,
        ToApis.id: ToApis,
        TtapiFamily.id: TtapiFamily,
        TtapiImages.id: TtapiImages,
        TtapiEdits.id: TtapiEdits,
        TtapiDallE3.id: TtapiDallE3,
        Ttapi4o.id: Ttapi4o,
        GptImage2.id: GptImage2,
        Chat.id: Chat,
        OpenAIVariations.id: OpenAIVariations,
    }
)


class Registry:
    """Finds adapters by id; each is built once, and other packages are imported only when asked for."""

    def __init__(
        self, *, today: Callable[[], date], catalog: Catalog | None = None, plugins: Iterable[EntryPoint] | None = None
    ) -> None:
        """Keep what adapters are built from; `catalog` is the package's own by default, `plugins` the installed ones."""
        self._today = today
        self._given_catalog = catalog
        self._given_plugins = plugins
        self._built: dict[str, Provider | Family] = {}
        self._adapters: dict[str, Provider] = {}

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog that all adapters share, read when first needed."""
        return self._given_catalog or Catalog.builtin()

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all families and adapters."""
        return (*BUILT_IN, *self._plugins)

    def get(self, identifier: str) -> Provider | Family:
        """Return an adapter or a family; raise `UnknownProvider` with the names there are."""
        if identifier not in self._built:
            self._built[identifier] = self._factory(identifier)(self.catalog, self._today)
        return self._built[identifier]

    def provider(self, identifier: str) -> Provider:
        """Return an adapter; raise `UnknownProvider` also for a family."""
        if identifier in self._adapters:
            return self._adapters[identifier]
        found = self.get(identifier)
        if isinstance(found, Provider):
            self._adapters[identifier] = found
            return found
        raise UnknownProvider(f"{identifier} is a family, not one adapter: {', '.join(found.members)}")

    def route(self, identifier: str, spec: JobSpec) -> Provider:
        """Return the adapter for a job of an account with this provider; the job's own `endpoint` overrides the family.

        Raises `UnknownProvider` for an endpoint that the account's provider does not have.
        """
        found = self.get(identifier)
        members = (found.id,) if isinstance(found, Provider) else found.members
        if spec.endpoint is not None and spec.endpoint not in members:
            hint = did_you_mean(closest(spec.endpoint, members))
            raise UnknownProvider(f"endpoint must be one of {', '.join(members)} ({identifier}); got {spec.endpoint}{hint}")
        if isinstance(found, Provider):
            return found
        return self.provider(spec.endpoint or found.route(spec))

    def neighbours(self, identifier: str) -> tuple[Provider, ...]:
        """Return the adapters among which a provider routes its jobs: itself alone, unless it is a family."""
        found = self.get(identifier)
        return (found,) if isinstance(found, Provider) else tuple(self.provider(member) for member in found.members)

    def tiers(self, identifier: str) -> Mapping[str, Tier]:
        """Return the tiers that a provider sorts its accounts in."""
        return {name: tier for each in self.neighbours(identifier) for name, tier in self.catalog.api(each.id).tiers.items()}

    def shape(self, identifier: str, options: Mapping[str, Json]) -> Shape:
        """Return how the provider answers an account with these options; of a family, its first member, who gets most jobs."""
        return self.neighbours(identifier)[0].capabilities.shape_for(options)

    def known_hosts(self, identifier: str) -> frozenset[str]:
        """Return the provider's own hosts: where a batch file may send its key without being trusted."""
        found = self.get(identifier)
        members = (found.id,) if isinstance(found, Provider) else found.members
        return frozenset().union(*(self.catalog.api(member).hosts for member in members))

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        found = entry_points(group=GROUP) if self._given_plugins is None else self._given_plugins
        plugins = {plugin.name: plugin for plugin in found}
        taken = sorted(plugins.keys() & BUILT_IN.keys())
        if taken:
            raise UnknownProvider(f"an installed package offers an adapter under a name that is taken: {', '.join(taken)}")
        return plugins

    def _factory(self, identifier: str) -> Factory:
        if identifier in BUILT_IN:
            return BUILT_IN[identifier]
        if identifier in self._plugins:
            return self._loaded(self._plugins[identifier])
        hint = did_you_mean(closest(identifier, self.ids()))
        raise UnknownProvider(f"provider must be one of {', '.join(self.ids())}; got {identifier}{hint}")

    def _loaded(self, plugin: EntryPoint) -> Factory:
        def build(catalog: Catalog, today: Callable[[], date]) -> Provider | Family:
            found = plugin.load()(catalog, today)
            if isinstance(found, Provider | Family) and found.id == plugin.name:
                return found
            raise UnknownProvider(f"the installed package's {plugin.value} is no adapter or family with the id {plugin.name}")

        return build
