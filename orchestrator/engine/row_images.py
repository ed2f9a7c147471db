"""The images of one row of a batch file: looked at where they are the user's own files, and made as they will be sent."""

from dataclasses import replace
from pathlib import Path

from orchestrator.batchfile import Problems
from orchestrator.engine.pictures import BadPicture, Pictures, target_of
from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.places import FieldPath, Places
from orchestrator.jobs.spec import JobDraft, JobSpec, LocalImage, ParentImage, Reference, RemoteImage
from orchestrator.providers.base import Provider
from orchestrator.results import Target


class RowImages:
    """Adds a problem for each image that cannot be used; what is returned then goes nowhere."""

    def __init__(self, pictures: Pictures, problems: Problems) -> None:
        self._pictures, self._problems = pictures, problems

    async def of(self, draft: JobDraft, places: Places) -> tuple[list[Reference], Reference | None]:
        """Return a row's references and mask."""
        references = [await self._picture(image, ("references", i), places) for i, image in enumerate(draft.references)]
        mask = await self._picture(draft.mask, ("mask",), places) if draft.mask is not None else None
        return [found for found in references if found is not None], mask

    async def fitted(self, spec: JobSpec, provider: Provider, settings: AccountSettings, places: Places) -> JobSpec:
        """Return a job with its own images as they will be sent."""
        references = [
            await self._fit(image, target_of(spec, provider, settings, mask=False), ("references", index), places)
            for index, image in enumerate(spec.references)
        ]
        mask = None
        if spec.mask is not None:
            mask = await self._fit(spec.mask, target_of(spec, provider, settings, mask=True), ("mask",), places)
        return replace(spec, references=tuple(references), mask=mask)

    async def _fit(self, image: Reference, target: Target, path: FieldPath, places: Places) -> Reference:
        if not isinstance(image, LocalImage):
            return image
        try:
            return await self._pictures.fitted(image, target)
        except BadPicture as error:
            self._problems.add(str(error), places.of(path))
            return image

    async def _picture(self, image: str | ParentImage, path: FieldPath, places: Places) -> Reference | None:
        if isinstance(image, ParentImage):
            return image
        if image.lower().startswith(("http://", "https://")):
            return RemoteImage(url=image)
        try:
            return await self._pictures.look(Path(image))
        except BadPicture as error:
            self._problems.add(str(error), places.of(path))
            return None
