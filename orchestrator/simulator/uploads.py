"""ToAPIs' upload of reference pictures (providers.md 1.7)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from orchestrator.simulator.answers import json_answer, origin
from orchestrator.simulator.arrival import Arrival, Part, read_arrival
from orchestrator.simulator.ledger import Reference, Upload

if TYPE_CHECKING:
    from orchestrator.simulator.clock import Clock
    from orchestrator.simulator.faults import Chance
    from orchestrator.simulator.journal import Journal
    from orchestrator.simulator.ledger import Ledger
    from orchestrator.simulator.options import SimulatorOptions

__all__ = ["Uploads", "picture_type"]

LARGEST_UPLOAD = 10 * 1024 * 1024
SIGNATURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/gif": re.compile(rb"GIF8[79]a"),
}


def picture_type(content: bytes) -> str | None:
    """The media type the first bytes speak of, None when they are no picture."""
    return next((media for media, signature in SIGNATURES.items() if signature.match(content)), None)


class Uploads:
    """Takes pictures, serves them back, and recognises their URLs in paid requests."""

    def __init__(self, *, options: SimulatorOptions, clock: Clock, chance: Chance, ledger: Ledger, journal: Journal) -> None:
        self._options = options
        self._clock = clock
        self._chance = chance
        self._ledger = ledger
        self._journal = journal
        self._known = {upload.id: upload for upload in journal.uploads}
        self._contents: dict[str, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        """Where uploads are served back; taking them is part of ToAPIs' own routes."""
        return [web.get("/uploads/{name}", self.serve)]

    async def take(self, request: web.Request) -> web.Response:
        """POST of one picture as multipart field `file`."""
        arrival = await read_arrival(request)
        await self._clock.sleep(self._options.upload_delay)
        problem = _problem(arrival)
        if problem is not None:
            return json_answer({"success": False, "message": problem}, status=400)
        if self._chance.happens("upload error", self._options.upload_error_rate):
            return json_answer({"success": False, "message": "The upload could not be stored."}, status=500)
        upload = self._keep(arrival.files[0], origin(request))
        data = {"id": upload.id, "url": upload.url, "mime_type": upload.content_type, "size": upload.bytes}
        return json_answer({"success": True, "message": "Upload succeeded.", "data": data})

    async def serve(self, request: web.Request) -> web.Response:
        """GET of an uploaded picture."""
        upload = self._by_path(request.path)
        if upload is None:
            return web.Response(status=404, text="No such upload.")
        return web.Response(body=self._content(upload), content_type=upload.content_type)

    def recognise(self, field: str, url: str, *, host: str) -> Reference | None:
        """What a reference URL stands for; None when it claims to be an upload nobody made."""
        place = urlsplit(url)
        if place.netloc != host or not place.path.startswith("/uploads/"):
            return Reference(field=field, kind="url", url=url)
        upload = self._by_path(place.path)
        if upload is None:
            return None
        return Reference(
            field=field,
            kind="upload",
            url=url,
            sha256=upload.sha256,
            bytes=upload.bytes,
            filename=upload.filename,
            content_type=upload.content_type,
        )

    def _keep(self, part: Part, base: str) -> Upload:
        media = picture_type(part.content) or ""
        name = f"upload_{self._chance.stream('upload id').randbytes(12).hex()}_{len(self._known)}"
        upload = Upload(
            at=self._clock.now(),
            id=name,
            url=f"{base}/uploads/{name}.{media.partition('/')[2]}",
            sha256=hashlib.sha256(part.content).hexdigest(),
            bytes=len(part.content),
            filename=part.filename,
            content_type=media,
        )
        self._journal.write_upload(upload, part.content)
        self._known[name] = upload
        self._contents[name] = part.content
        self._ledger.uploads.append(upload)
        return upload

    def _by_path(self, path: str) -> Upload | None:
        return self._known.get(path.rpartition("/")[2].partition(".")[0])

    def _content(self, upload: Upload) -> bytes:
        kept = self._contents.get(upload.id)
        return self._journal.read_content(upload) if kept is None else kept


def _problem(arrival: Arrival) -> str | None:
    """Why an upload is refused, None when it is fine."""
    if arrival.problem is not None:
        return arrival.problem
    if [part.name for part in arrival.files] != ["file"]:
        return "Exactly one file is expected, in the field 'file'."
    content = arrival.files[0].content
    if len(content) > LARGEST_UPLOAD:
        return "The file is larger than 10 MB."
    return None if picture_type(content) else "Only jpeg, png, webp and gif are supported."
