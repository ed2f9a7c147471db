"""What is said against the jobs of a batch file before anything is sent: by their adapters, and by the documents' advice."""

from collections.abc import Collection
from dataclasses import replace

from orchestrator.batchfile import Problems
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import Places, Severity
from orchestrator.jobs.spec import JobSpec, ParentImage
from orchestrator.providers.advice import Case, hints_for
from orchestrator.providers.base import Finding, Provider
from orchestrator.providers.catalog import Catalog

_ACCOUNT = ("account",)


class Remarks:
    """Puts findings at their places. What concerns an account, or all jobs of a model alike, is said at the first of them."""

    def __init__(self, catalog: Catalog, hints: Collection[str], problems: Problems) -> None:
        """`hints` are the names of those that may be given."""
        self._catalog, self._hints, self._problems = catalog, hints, problems
        self._said: set[tuple[str, ...]] = set()

    def make(self, provider: Provider, spec: JobSpec, settings: AccountSettings, places: Places) -> None:
        """Note whatever there is to say of one job as it would be sent."""
        findings = [_in_the_users_words(finding, spec) for finding in provider.validate(spec, settings)]
        for finding in findings:
            if finding.path != _ACCOUNT or self._is_new(settings.name, finding.message):
                self._problems.add(finding.message, places.of(finding.path), finding.severity)
        judged = {finding.path for finding in findings}
        for name in spec.extra:
            if ("extra", name) not in judged:
                self._problems.add(f"{name} is sent as it is, unchecked", places.of(("extra", name)), Severity.WARNING)
        if self._hints:
            self._advise(Case(spec=spec, api=provider.id, model=self._catalog.api(provider.id).rules(spec.model)), places)

    def _advise(self, case: Case, places: Places) -> None:
        for hint in hints_for(case):
            if hint.name in self._hints and (not hint.once or self._is_new(case.spec.account, case.spec.model, hint.name)):
                self._problems.add(hint.message, places.of(hint.path), Severity.WARNING)

    def _is_new(self, *what: str) -> bool:
        is_new = what not in self._said
        self._said.add(what)
        return is_new


def _in_the_users_words(finding: Finding, spec: JobSpec) -> Finding:
    """Return what is said against references as said against `continues`, where nothing but that made one."""
    if finding.path != ("references",) or spec.continues is None or spec.references != (ParentImage(job=spec.continues),):
        return finding
    message = f"continues sends the image of {spec.continues} as a reference, and {finding.message}"
    return replace(finding, path=("continues",), message=message)
