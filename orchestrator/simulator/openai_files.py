"""OpenAI's files (providers.md 5.6): pictures uploaded once, named by their id in edits and responses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.simulator.answers import json_answer
from orchestrator.simulator.arrival import read_arrival
from orchestrator.simulator.ledger import Reference, Upload
from orchestrator.simulator.openai_fields import complaint
from orchestrator.simulator.openai_pictures import no_such_file
from orchestrator.simulator.owner import key_of
from orchestrator.simulator.refusal import Refusal
from orchestrator.simulator.uploads import picture_type

if TYPE_CHECKING:
    from orchestrator.simulator.arrival import Arrival
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.faults import Chance
    from orchestrator.simulator.gate import Api, Gate
    from orchestrator.simulator.journal import Journal
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions

__all__ = ["OpenAiFiles"]

LARGEST_FILE = 512 * 1024 * 1024
PURPOSES = ("vision", "batch", "user_data", "assistants", "evals", "fine-tune")


class OpenAiFiles:
    """Keeps uploads and finds them again; `errors` words its refusals."""

    def __init__(
        self,
        *,
        options: SimulatorOptions,
        clock: Clock,
        chance: Chance,
        ledger: Ledger,
        journal: Journal,
        gate: Gate,
        errors: Api,
    ) -> None:
        self._options = options
        self._clock = clock
        self._chance = chance
        self._ledger = ledger
        self._journal = journal
        self._gate = gate
        self._errors = errors
        self._known = {upload.id: upload for upload in journal.uploads}

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Where files are taken and described."""
        return [
            web.post(f"{prefix}/v1/files", self._take),
            web.get(f"{prefix}/v1/files/{{file_id}}", self._describe),
        ]

    def find(self, field: str, file_id: str) -> Reference:
        """What a file id stands for; raises Refusal for one nobody got."""
        upload = self._known.get(file_id)
        if upload is None:
            return no_such_file(field, file_id)
        return Reference(
            field=field,
            kind="file_id",
            file_id=file_id,
            sha256=upload.sha256,
            bytes=upload.bytes,
            filename=upload.filename,
            content_type=upload.content_type,
        )

    async def _take(self, request: web.Request) -> web.Response:
        arrival = await read_arrival(request)
        await self._clock.sleep(self._options.upload_delay)
        try:
            if not self._gate.is_welcome(key_of(request)):
                raise self._errors.unauthorised()
            _check(arrival)
            if self._chance.happens("upload error", self._options.upload_error_rate):
                raise self._errors.broken(500)
        except Refusal as refusal:
            return self._errors.refuse(refusal)
        return json_answer(_object(self._keep(arrival), arrival.values["purpose"]))

    async def _describe(self, request: web.Request) -> web.Response:
        if not self._gate.is_welcome(key_of(request)):
            return self._errors.refuse(self._errors.unauthorised())
        upload = self._known.get(request.match_info["file_id"])
        if upload is None:
            return self._errors.refuse(Refusal("No such File object.", status=404, param="id"))
        return json_answer(_object(upload, "vision"))

    def _keep(self, arrival: Arrival) -> Upload:
        part = arrival.files[0]
        upload = Upload(
            at=self._clock.now(),
            id=f"file-{self._chance.stream('file id').randbytes(12).hex()}{len(self._known)}",
            url="",
            sha256=hashlib.sha256(part.content).hexdigest(),
            bytes=len(part.content),
            filename=part.filename,
            content_type=picture_type(part.content) or "",
        )
        self._journal.write_upload(upload, part.content)
        self._known[upload.id] = upload
        self._ledger.uploads.append(upload)
        return upload


def _check(arrival: Arrival) -> None:
    if arrival.problem is not None or arrival.json is not None:
        raise complaint(arrival.problem or "Expected a multipart form.", param="body", code="invalid_body")
    if [part.name for part in arrival.files] != ["file"]:
        raise complaint("Give exactly one file, named 'file'.", param="file", code="missing_required_parameter")
    purpose = arrival.values.get("purpose")
    if purpose not in PURPOSES:
        raise complaint(f"Invalid purpose: {purpose}.", param="purpose", code="invalid_value")
    content = arrival.files[0].content
    if len(content) > LARGEST_FILE:
        raise complaint("The file is larger than 512 MB.", param="file", code="invalid_value")
    if purpose == "vision" and picture_type(content) is None:
        raise complaint("The file is no picture.", param="file", code="invalid_value")


def _object(upload: Upload, purpose: str) -> dict[str, Any]:
    return {
        "id": upload.id,
        "object": "file",
        "bytes": upload.bytes,
        "created_at": int(upload.at),
        "filename": upload.filename,
        "purpose": purpose,
        "status": "processed",
    }
