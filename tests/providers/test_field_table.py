"""Every documented field of every model at its smallest and its largest, just outside, and with the wrong type."""

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import Registry

from . import test_ttapi_fields
from .field_table import Row, rows
from .making import local, today

REGISTRY = Registry(today=today, plugins=())
ITS_OWN = ("prompt", "n", "size")
NEED_A_REFERENCE = ("openai-edits", "openai-variations")
LABELS = {"reference_bytes": "reference 1 ", "reference_format": "reference 1 ", "references": "references "}


def cases() -> Iterator[Any]:
    for api, model, field, right, wrong in rows():
        for kind, values in (("takes", right), ("refuses", wrong)):
            for number, value in enumerate(values):
                shown = repr(value) if len(repr(value)) < 24 else f"{len(value)} characters"
                yield pytest.param(
                    api, model, field, value, kind == "takes", id=f"{api}-{model}-{field}-{kind}-{number}-{shown}"
                )  # fmt: skip


def asked(api: str, model: str, field: str, value: Any) -> tuple[JobSpec, AccountSettings]:
    """Return a job that is right in all but one field, and an account that allows it whatever there is to allow."""
    provider = api.removesuffix("-newer")
    params: dict[str, Any] = {}
    fields: dict[str, Any] = {"prompt": "draw a mug", "size": "1024x1024" if api == "gpt-image-2" else None}
    fields["references"] = (local(),) if provider in NEED_A_REFERENCE or field == "mask" else ()
    if field in ITS_OWN:
        fields[field] = value
    elif field == "references":
        fields["references"] = (local(),) * value
    elif field == "reference_bytes":
        fields["references"] = (local(size=value),)
    elif field == "reference_format":
        fields["references"] = (local(format=value),)
    elif field == "mask":
        fields["mask"] = local(**{"alpha": True, **value})
    else:
        params = {field: value, **_company(field, provider)}
    spec = JobSpec(key="mug", account="studio", provider=provider, model=model, params=params, **fields)
    return spec, _account(api, field)


def _company(field: str, provider: str) -> dict[str, Any]:
    """Return the params without which a field makes no sense."""
    if field == "output_compression":
        return {"output_format": "jpeg"}
    if field == "partial_images" and provider != "openai-responses":
        return {"stream": True}
    return {}


def _account(api: str, field: str) -> AccountSettings:
    provider = api.removesuffix("-newer")
    base_url = REGISTRY.provider(provider).default_base_url or "https://relay.example"
    return AccountSettings(
        name="studio", provider=provider, base_url=base_url, api_key_env="X", options=_options(api, field), allow_retired=True
    )


def _options(api: str, field: str) -> dict[str, str]:
    """Return the account's options without which a field cannot be sent."""
    if api.endswith("-newer"):
        return {"submit_path": "/openai/gpt/generations"}
    if (api, field) == ("openai-responses", "partial_images"):
        return {"mode": "stream"}
    return {"edit_body": "json"} if (api, field) == ("openai-edits", "moderation") else {}


@pytest.mark.parametrize(("api", "model", "field", "value", "right"), list(cases()))
def test_a_documented_field_is_taken_within_its_limits_only(api: str, model: str, field: str, value: Any, *, right: bool) -> None:
    spec, account = asked(api, model, field, value)
    found = REGISTRY.provider(spec.provider).validate(spec, account)
    said = [each.message for each in found if each.severity is Severity.ERROR]
    if right:
        assert said == []
    else:
        assert said
        assert said[0].startswith((LABELS.get(field, f"{field} "), "size is ", "one call ", "output_")), said


def covered() -> set[tuple[str, str, str]]:
    table: list[Row] = [*rows(), *test_ttapi_fields.rows()]
    return {(api, model, field) for api, model, field, _, _ in table}


def test_no_field_that_the_catalog_limits_is_missing_in_the_table() -> None:
    known = covered()
    for api in Catalog.builtin():
        for model in {each.name: each for each in api.models.values()}.values():
            limited = [*model.params, *(["size"] if model.size else []), *(["prompt"] if model.prompt else []), "n"]
            missing = [field for field in limited if (api.id, model.name, field) not in known]
            assert missing in ([], ["stream", "partial_images", "user"], ["partial_images", "user"], ["user"]), (
                api.id,
                model.name,
            )
