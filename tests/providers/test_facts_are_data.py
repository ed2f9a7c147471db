"""Models and prices are data: none of them stands in the code, and no default names a model that is gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import orchestrator
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Severity
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Provider
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.registry import Registry

from .contract import Contract, adapters
from .making import today

PACKAGE = Path(orchestrator.__file__).parent
CHECKOUT = PACKAGE.parent
# The simulator plays the providers, so that it has to know their models by itself.
CODE = [file for file in sorted(PACKAGE.rglob("*.py")) if "simulator" not in file.relative_to(PACKAGE).parts]
NAMES = {name for api in Catalog.builtin() for name in (*api.models, *api.mainline)}
NAMED = re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, sorted(NAMES, key=len, reverse=True))) + r")(?![\w-])")
AMOUNT = re.compile(r"\$\s?\d+(?:\.\d+)?(?! an image)")
ADAPTERS = adapters(Registry(today=today, plugins=()))


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text of a module but its docstrings, which no program sends."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.value


def numbers(tree: ast.Module) -> Iterator[str]:
    """Yield every decimal that a module makes from digits with a point: a price, unless it is a rounding step."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Decimal" and node.args:
            written = node.args[0]
            if isinstance(written, ast.Constant) and re.fullmatch(r"\d*\.\d+", str(written.value)):
                yield str(written.value)


@pytest.mark.parametrize("file", CODE, ids=[str(file.relative_to(PACKAGE)) for file in CODE])
def test_no_model_and_no_price_stands_in_the_code(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    adapters_own = {identifier for identifier in ADAPTERS if identifier in NAMES}  # one adapter bears the name of its model
    assert [text for text in texts(tree) if set(NAMED.findall(text)) - adapters_own] == []
    assert [text for text in texts(tree) if AMOUNT.search(text)] == []
    if "providers" in file.parts or "engine" in file.parts:
        assert list(numbers(tree)) == []


def test_a_name_and_a_price_in_the_code_would_be_found() -> None:
    tree = ast.parse('"""About gpt-image-2."""\nmodel = f"use gpt-image-1-mini {x}"\nprice = Decimal("0.04")\n')
    assert [text for text in texts(tree) if NAMED.search(text)] == ["use gpt-image-1-mini "]
    assert list(numbers(tree)) == ["0.04"]


def test_the_text_model_that_is_taken_unless_told_otherwise_lives() -> None:
    for api in Catalog.builtin():
        for model in list(api.mainline.values())[:1]:
            assert model.retires is None
            assert model.tokens_in is not None


@pytest.mark.parametrize("identifier", ADAPTERS)
def test_every_paid_request_names_its_model_for_the_apis_own_default_may_be_dead(identifier: str) -> None:
    contract = Contract.of(ADAPTERS[identifier])
    request = ADAPTERS[identifier].submission(contract.order)
    body = (request.json or b"") + b"".join(part.name.encode() for part in request.form or ())
    # The job endpoint of one provider takes no model at all.
    assert (b"model" in body) is (identifier != "ttapi-4o")


def documented_jobs(text: str) -> Iterator[tuple[str, JobSpec]]:
    """Yield the account and the job of every example in a YAML batch."""
    batch = yaml.safe_load(text)
    for job in batch["jobs"]:
        fields = {**batch["defaults"], **job}
        account = batch["accounts"].get(fields["account"], {"provider": fields["account"]})
        yield account["provider"], JobSpec(key="x", account="x", provider=account["provider"], model=fields["model"], prompt="x")


def test_the_examples_of_the_documents_order_from_models_that_live() -> None:
    registry = Registry(today=today, plugins=())
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    examples = [
        (CHECKOUT / "jobs.example.yaml").read_text(encoding="utf-8"),
        "".join(re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)),  # the later ones go on with the first one's jobs
    ]
    found = [pair for text in examples for pair in documented_jobs(text)]
    assert len(found) > 8
    for provider, spec in found:
        adapter = registry.route(provider, spec)
        assert isinstance(adapter, Provider)
        account = AccountSettings(name="x", provider=provider, base_url=adapter.default_base_url, api_key_env="X")
        said = [each for each in adapter.validate(spec, account) if each.path == ("model",)]
        assert [each.message for each in said if each.severity is Severity.ERROR] == []
    commands = re.findall(r"--account (\S+) --model (\S+)", readme)
    assert commands
    for provider, model in commands:
        spec = JobSpec(key="x", account="x", provider=provider, model=model, prompt="x")
        assert registry.catalog.api(registry.route(provider, spec).id).rules(model).retires is None
