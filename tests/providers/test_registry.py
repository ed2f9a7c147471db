from collections.abc import Callable
from datetime import date
from importlib.metadata import EntryPoint

import pytest

from orchestrator.providers.base import Family, Provider, Shape
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import GROUP, Registry, UnknownProvider
from orchestrator.providers.toapis import ToApis

from .making import MASK, REMOTE, spec, today

HERE = __name__


class Borrowed(ToApis):
    id = "borrowed"


def borrowed(catalog: Catalog, day: Callable[[], date]) -> Provider:
    return Borrowed(catalog, day)


def nonsense(catalog: Catalog, day: Callable[[], date]) -> object:
    return (catalog, day)


def registry(*plugins: EntryPoint) -> Registry:
    return Registry(today=today, plugins=plugins)


def plugin(name: str, factory: str) -> EntryPoint:
    return EntryPoint(name=name, value=f"{HERE}:{factory}", group=GROUP)


def test_the_built_in_ids_are_families_and_adapters() -> None:
    found = registry()
    families = [identifier for identifier in found.ids() if isinstance(found.get(identifier), Family)]
    assert families == ["openai", "ttapi"]
    assert {"openai-images", "openai-edits", "openai-responses", "openai-variations", "toapis", "ttapi-4o"} < {*found.ids()}
    for identifier in {*found.ids()} - {*families}:
        assert isinstance(found.get(identifier), Provider)
        assert found.get(identifier) is found.provider(identifier)


def test_what_is_installed_is_looked_up_when_nothing_is_given() -> None:
    assert "toapis" in Registry(today=today).ids()


def test_each_provider_brings_its_own_address_and_key_variable() -> None:
    found = registry()
    assert {(found.get(name).default_base_url, found.get(name).default_key_variable) for name in found.ids()} == {
        ("", "GPT_IMAGE_2_API_KEY"),
        ("https://api.openai.com", "OPENAI_API_KEY"),
        ("https://api.rainboxs.com", "RAINBOXS_API_KEY"),
        ("https://api.ttapi.org", "TTAPI_API_KEY"),
        ("https://toapis.com", "TOAPIS_API_KEY"),
        ("https://api.ttapi.org", "TTAPI_API_KEY"),
        ("https://api.rainboxs.com", "RAINBOXS_API_KEY"),
        ("", "GPT_IMAGE_2_API_KEY"),
    }


def test_the_family_sends_jobs_with_images_to_the_edits() -> None:
    found = registry()
    job = spec("openai-images")
    assert found.route("openai", job).id == "openai-images"
    assert found.route("openai", spec("openai-images", references=(REMOTE,))).id == "openai-edits"
    assert found.route("openai", spec("openai-images", mask=MASK)).id == "openai-edits"
    assert found.route("toapis", job).id == "toapis"


def test_the_family_sends_jobs_that_continue_others_where_conversations_are_remembered() -> None:
    found = registry()
    assert found.route("openai", spec("openai-images", continues="mug", references=(REMOTE,))).id == "openai-responses"
    assert found.route("openai", spec("openai-images", continues="mug", endpoint="openai-edits")).id == "openai-edits"


def test_a_family_is_served_as_its_first_member_is() -> None:
    assert registry().shape("openai", {}) is registry().shape("ttapi", {}) is Shape.SYNCHRONOUS


def test_a_jobs_own_endpoint_overrides_the_family() -> None:
    assert registry().route("openai", spec("openai-images", endpoint="openai-edits")).id == "openai-edits"
    assert registry().route("toapis", spec("toapis", endpoint="toapis")).id == "toapis"
    message = (
        r"^endpoint must be one of openai-images, openai-edits, openai-responses \(openai\); "
        r"got openai-edit - did you mean openai-edits\?$"
    )
    with pytest.raises(UnknownProvider, match=message):
        registry().route("openai", spec("openai-images", endpoint="openai-edit"))


def test_an_unknown_provider_is_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownProvider) as caught:
        registry().get("opnai")
    known = ", ".join(registry().ids())
    assert str(caught.value) == f"provider must be one of {known}; got opnai - did you mean openai?"


def test_a_family_is_not_an_adapter() -> None:
    with pytest.raises(UnknownProvider, match="openai is a family, not one adapter: openai-images, openai-edits"):
        registry().provider("openai")


def test_another_package_brings_an_adapter_by_its_entry_point() -> None:
    found = registry(plugin("borrowed", "borrowed"))
    assert found.ids()[-1] == "borrowed"
    assert found.provider("borrowed").id == "borrowed"
    assert found.route("borrowed", spec("toapis")).id == "borrowed"
    assert found.known_hosts("borrowed") == frozenset()


def test_an_entry_point_is_imported_only_when_it_is_asked_for() -> None:
    found = registry(EntryPoint(name="broken", value="there.is.no.such.module:x", group=GROUP))
    assert found.provider("toapis").id == "toapis"
    with pytest.raises(ModuleNotFoundError):
        found.get("broken")


def test_an_entry_point_must_bring_what_it_says() -> None:
    for name, factory in (("mine", "nonsense"), ("other", "borrowed")):
        with pytest.raises(UnknownProvider, match=f"is no adapter or family with the id {name}"):
            registry(plugin(name, factory)).get(name)
    with pytest.raises(UnknownProvider, match="under a name that is taken: toapis"):
        registry(plugin("toapis", "borrowed")).ids()


def test_an_option_may_decide_how_a_provider_answers() -> None:
    found = registry()
    assert found.shape("openai-responses", {}) is found.shape("openai-responses", {"mode": "background"}) is Shape.TASK
    assert found.shape("openai-responses", {"mode": "synchronous"}) is Shape.SYNCHRONOUS
    assert found.shape("openai-responses", {"mode": "stream"}) is Shape.SYNCHRONOUS
    assert found.shape("openai", {"mode": "background"}) is Shape.SYNCHRONOUS


def test_the_hosts_of_a_family_are_those_of_its_members() -> None:
    assert registry().known_hosts("openai") == {"api.openai.com"}
    assert registry().known_hosts("toapis") == {"toapis.com", "api.toapis.com", "toapis.cn", "api.toapis.cn"}


def test_a_users_catalog_reaches_every_adapter() -> None:
    catalog = Catalog.builtin().overlay({"toapis": {"hosts": ["mine.example"]}})
    found = Registry(today=today, catalog=catalog, plugins=())
    assert found.known_hosts("toapis") == {"mine.example"}
