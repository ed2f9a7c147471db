"""What TTAPI's image jobs cannot take (providers.md 2.4), each with what would work instead."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.spec import JobSpec, LocalImage
from orchestrator.providers.adapter import CatalogAdapter
from orchestrator.providers.base import Finding

RESERVED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
        "referImages": "references: are a field of the job itself",
        "hookUrl": "it is set where the program receives callbacks",
        "aspect_ratio": "say it as the job's size, such as 16:9",
    }
)
"""Fields the adapter writes itself -> why nobody else may."""

HINTS: Mapping[FieldPath, str] = MappingProxyType(
    {
        ("mask",): "TTAPI's guide gives these jobs no mask; a model of ttapi-edits takes one",
        ("size",): "TTAPI's guide gives this model no size; say the shape in the prompt, or use a model of ttapi-images",
        ("n",): "TTAPI makes one image for each of these jobs; set fan_out: true on the job",
        ("references",): (
            "TTAPI's guide takes web addresses only; put the file on the web, let it be served "
            "(references: served, --public-url), or use a model of ttapi-edits"
        ),
    }
)
"""Field of a refusal -> what would work, and who says so."""


def job_findings(spec: JobSpec, account: AccountSettings, rules: CatalogAdapter) -> Iterator[Finding]:
    """Yield everything that would be refused or is doubtful; `rules` are those of the endpoint that takes the job."""
    for finding in rules.validate(spec, account):
        yield _hinted(finding) if finding.path == ("mask",) else finding
    where = f"({rules.id} {spec.model})"
    if spec.size and spec.model in rules.api.models and rules.api.rules(spec.model).size is None:
        yield _hinted(Finding(path=("size",), message=f"size cannot be sent {where}; got {spec.size.strip()}"))
    if spec.request.n != 1:
        yield _hinted(Finding(path=("n",), message=f"n must be 1 {where}; got {spec.n}"))
    for index, image in enumerate(spec.references):
        if isinstance(image, LocalImage) and account.options.get("references") != "served":
            local = Finding(path=("references", index), message=f"reference {index + 1} is a local file {where}")
            yield _hinted(local)


def _hinted(finding: Finding) -> Finding:
    if finding.severity is not Severity.ERROR:
        return finding
    return replace(finding, message=f"{finding.message} - {HINTS[finding.path[:1]]}")
