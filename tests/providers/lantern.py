# ruff: noqa: ARG002 - the contract has arguments that this API needs none of
"""An adapter as a third party would write it: one module that knows the program's contracts and nothing of its engine.

The API it speaks takes `{"text"}` at `/paint` and answers with `{"picture": BASE64}`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.failures import Failure, row_of
from orchestrator.jobs.reports import Output, Report, Status
from orchestrator.jobs.spec import JobSpec, Json
from orchestrator.providers.base import Capabilities, Estimate, Finding, Order, Shape
from orchestrator.providers.catalog import Catalog
from orchestrator.transport.messages import Answer, Request, Unreadable, joined


class Lantern:
    """The adapter `lantern`."""

    id = "lantern"
    capabilities = Capabilities(shape=Shape.SYNCHRONOUS)
    default_base_url = "https://lantern.example"
    default_key_variable = "LANTERN_KEY"

    def __init__(self, catalog: Catalog, today: Callable[[], date]) -> None:
        self._api = catalog.api(self.id)
        self._today = today

    def options(self) -> Mapping[str, tuple[Json, ...] | type]:
        return {"lamp": ("oil", "gas")}

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        if "dark" in spec.prompt:
            yield Finding(path=("prompt",), message=f"a lantern paints nothing dark ({self.id} {spec.model})")

    def submission(self, order: Order) -> Request:
        text = {"text": order.spec.prompt, "lamp": order.account.options.get("lamp", "oil")}
        return Request(method="POST", url=joined(order.account, "/paint"), json=json.dumps(text).encode())

    def read_submission(self, answer: Answer) -> Report:
        picture = answer.object().get("picture")
        if not isinstance(picture, str):
            raise Unreadable("the answer holds no picture")
        return Report(status=Status.SUCCEEDED, outputs=(Output(base64=picture),))

    def read_failure(self, answer: Answer) -> Failure:
        return Failure(code=row_of(answer.status).code, message=answer.body.decode("utf-8", "replace"), http_status=answer.status)

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        return Estimate(likely=Decimal("0.01"), worst=Decimal("0.01"))

    def cost(self, spec: JobSpec, account: AccountSettings, report: Report) -> Decimal | None:
        return Decimal("0.01")
