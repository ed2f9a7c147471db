"""What can be wrong with references and masks before anything is sent."""

from collections.abc import Iterator

from orchestrator.jobs.places import FieldPath, Severity
from orchestrator.jobs.spec import JobSpec, LocalImage, ParentImage, Reference
from orchestrator.providers.base import Finding
from orchestrator.providers.checks import Check
from orchestrator.providers.rules import ImageRule


def image_findings(check: Check) -> Iterator[Finding]:
    """Yield everything the model's rules say against the references and the mask of a job."""
    references, rule = check.spec.references, check.model.references
    yield from _count(check, rule)
    for index, reference in enumerate(references):
        yield from _image(check, rule, reference, ("references", index), f"reference {index + 1}")
    if check.spec.mask is not None:
        yield from _mask(check, check.spec.mask)


def _count(check: Check, rule: ImageRule) -> Iterator[Finding]:
    found = len(check.spec.references)
    if found >= rule.least and (rule.most is None or found <= rule.most):
        return
    if rule.most == 0:
        message = f"references cannot be sent {check.where}; got {found}"
    elif rule.most is None:
        message = f"references must be at least {rule.least} {check.where}; got {found}"
    else:
        message = f"references must be {rule.least} to {rule.most} {check.where}; got {found}"
    yield Finding(path=("references",), message=message)


def _mask(check: Check, mask: Reference) -> Iterator[Finding]:
    rule = check.model.mask
    if rule is None:
        yield Finding(path=("mask",), message=f"a mask cannot be sent {check.where}")
        return
    yield from _image(check, rule, mask, ("mask",), "mask")
    if check.spec.continues is not None and not _is_edit(check.spec):
        return  # it covers the image that is gone on with, which only the API knows
    if not check.spec.references:
        message = f"a mask without a reference has nothing to cover {check.where}"
        yield Finding(path=("mask",), message=message, severity=Severity.WARNING)
        return
    first = check.spec.references[0]
    if rule.same_size and isinstance(mask, LocalImage) and isinstance(first, LocalImage):
        yield from _same_size(check, mask, first)


def _is_edit(spec: JobSpec) -> bool:
    """Whether a job goes on with another one by showing its image first."""
    first = next(iter(spec.references), None)
    return isinstance(first, ParentImage) and first.job == spec.continues


def _same_size(check: Check, mask: LocalImage, first: LocalImage) -> Iterator[Finding]:
    if (mask.width, mask.height) != (first.width, first.height):
        wanted, got = f"{first.width}x{first.height}", f"{mask.width}x{mask.height}"
        message = f"mask must have the size of the first reference, {wanted} {check.where}; got {got}"
        yield Finding(path=("mask",), message=message)


def _image(check: Check, rule: ImageRule, image: Reference, path: FieldPath, label: str) -> Iterator[Finding]:
    if isinstance(image, LocalImage):
        yield from _file(check, rule, image, path, label)
    elif isinstance(image, ParentImage):
        return  # nobody knows yet what it will be; it is checked when it is there
    elif not image.url.lower().startswith(("http://", "https://")):
        yield Finding(path=path, message=f"{label} must be a file or an http(s) URL {check.where}")


def _file(check: Check, rule: ImageRule, image: LocalImage, path: FieldPath, label: str) -> Iterator[Finding]:
    if rule.formats is not None and image.format not in rule.formats:
        message = f"{label} must be one of {', '.join(rule.formats)} {check.where}; got {image.format}{_if_fitted(check)}"
        yield Finding(path=path, message=message)
    if rule.most_bytes is not None and image.size > rule.most_bytes:
        remedy = _if_fitted(check) if path != ("mask",) else ""  # a mask keeps its size
        message = f"{label} must be at most {_mib(rule.most_bytes)} {check.where}; got {_mib(image.size)}{remedy}"
        yield Finding(path=path, message=message)
    elif rule.large_bytes is not None and image.size > rule.large_bytes:
        message = f"{label} of {_mib(image.size)} may be refused {check.where}: some pages allow {_mib(rule.large_bytes)} only"
        yield Finding(path=path, message=message, severity=Severity.WARNING)
    if rule.square and image.width != image.height:
        message = f"{label} must be square {check.where}; got {image.width}x{image.height}"
        yield Finding(path=path, message=message)
    if rule.alpha and not image.alpha:
        message = f"{label} must have an alpha channel whose transparent part is to be changed {check.where}"
        message += _if_black_and_white(check)
        yield Finding(path=path, message=message)


def _if_fitted(check: Check) -> str:
    """Return which setting of the account would help, unless it is set."""
    return "" if check.account.fit_references else "; fit_references: true on the account lets it be converted and shrunk"


def _if_black_and_white(check: Check) -> str:
    """Return which setting of the account would help, unless it is set."""
    return "" if check.account.black_white_masks else "; black_white_masks: true on the account makes it of a mask's black"


def _mib(size: int) -> str:
    return f"{size / 2**20:.2f} MiB"
