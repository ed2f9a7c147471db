"""What holds for both of OpenAI's image endpoints: fields of the program's own, and values that exclude each other."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Finding

RESERVED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("model", "prompt", "size", "n"), "it is a field of the job itself"),
        **dict.fromkeys(("image", "image[]", "images"), "references: are a field of the job itself"),
        "mask": "it is a field of the job itself",
        **dict.fromkeys(("stream", "partial_images"), "it belongs into params"),
    }
)
"""Fields the adapters write themselves."""

BASE_URL = "https://api.openai.com"
KEY_VARIABLE = "OPENAI_API_KEY"


def output_findings(spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
    """Yield the combinations of output fields that providers.md 5.3 rules out."""
    params = {**account.params, **spec.params}
    output_format = params.get("output_format", "png")
    if params.get("background") == "transparent" and output_format == "jpeg":
        message = f"background transparent needs output_format png or webp ({spec.provider} {spec.model}); got jpeg"
        yield Finding(path=("params", "background"), message=message)
    if "output_compression" in params and output_format not in ("jpeg", "webp"):
        message = f"output_compression needs output_format jpeg or webp ({spec.provider} {spec.model}); got {output_format}"
        yield Finding(path=("params", "output_compression"), message=message)
