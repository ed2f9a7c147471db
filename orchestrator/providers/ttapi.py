"""The family `ttapi`: everything behind one TTAPI key (design.md section 6)."""

from collections.abc import Callable
from datetime import date

from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.catalog import Catalog
from orchestrator.providers.ttapi_4o import NewerEndpoint, Ttapi4o
from orchestrator.providers.ttapi_account import BASE_URL, KEY_VARIABLE
from orchestrator.providers.ttapi_dalle3 import TtapiDallE3
from orchestrator.providers.ttapi_edits import TtapiEdits
from orchestrator.providers.ttapi_images import TtapiImages


class TtapiFamily:
    """Models that TTAPI sells as jobs only go to the jobs, others with images to the edits, and the rest to the generations."""

    id = "ttapi"
    members: tuple[str, ...] = (TtapiImages.id, TtapiEdits.id, TtapiDallE3.id, Ttapi4o.id)
    default_base_url = BASE_URL
    default_key_variable = KEY_VARIABLE

    def __init__(self, catalog: Catalog, _today: Callable[[], date]) -> None:
        jobs = catalog.api(Ttapi4o.id).models.keys() | catalog.api(NewerEndpoint.id).models.keys()
        self._jobs_only = jobs - catalog.api(TtapiImages.id).models.keys()

    def route(self, spec: JobSpec) -> str:
        """Return the id of the member for this job; the older endpoint for DALL-E 3 is reached by `endpoint` alone."""
        if spec.model in self._jobs_only:
            return Ttapi4o.id
        return TtapiEdits.id if spec.references or spec.mask or spec.continues else TtapiImages.id
