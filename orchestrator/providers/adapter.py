"""What the built-in adapters share: they judge jobs and reckon their cost by the catalog."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import ClassVar

from orchestrator.jobs.accounts import AccountSettings
from orchestrator.jobs.reports import Report
from orchestrator.jobs.spec import JobSpec
from orchestrator.providers.base import Estimate, Finding, ImageLimits
from orchestrator.providers.catalog import Api, Catalog
from orchestrator.providers.checks import Check
from orchestrator.providers.hosts import at_home, in_simulation
from orchestrator.providers.image_checks import image_findings
from orchestrator.providers.price_list import own_price
from orchestrator.providers.prices import Asked, Price
from orchestrator.providers.rules import ImageRule


class CatalogAdapter:
    """Base of an adapter whose models stand in the catalog under its `id`."""

    id: str
    reserved: ClassVar[Mapping[str, str]] = {}
    """Fields the adapter writes itself -> why nobody else may."""

    def __init__(self, catalog: Catalog, today: Callable[[], date]) -> None:
        self._catalog = catalog
        self._today = today

    @property
    def api(self) -> Api:
        """What the catalog knows of this adapter's API."""
        return self._catalog.api(self.id)

    def validate(self, spec: JobSpec, account: AccountSettings) -> Iterator[Finding]:
        """Yield everything that would be refused or is doubtful, before anything is sent."""
        check = Check(spec=spec, account=account, api=self.api, today=self._today(), reserved=self.reserved)
        yield from check.findings()
        yield from image_findings(check)

    def image_limits(self, spec: JobSpec, account: AccountSettings, *, mask: bool) -> ImageLimits:
        """Return what the job's model takes as reference, or as mask."""
        rules = self.api.rules(spec.model)
        rule = (rules.mask if mask else rules.references) or ImageRule()
        urls = rule.urls and self.takes_urls(account)
        return ImageLimits(formats=rule.formats, most_bytes=rule.most_bytes, urls=urls)

    def takes_urls(self, account: AccountSettings) -> bool:  # noqa: ARG002 - for adapters whose requests have several forms
        """Say whether the account's requests have a place for the URL of an image."""
        return True

    def estimate(self, spec: JobSpec, account: AccountSettings) -> Estimate:
        """Return what a job should and could cost. At a relay only the account's own prices count."""
        price = self._price(spec, account)
        return price.estimate(self._asked(price, spec, account)) if price else Estimate()

    def cost(self, spec: JobSpec, account: AccountSettings, report: Report) -> Decimal | None:
        """Return the provider's own figure, else that of the account's prices, of its usage, or of the table."""
        price = self._price(spec, account)
        if report.cost is not None or price is None:
            return report.cost
        if price.rates is not None or not report.outputs:
            return price.of_usage(report.usage)
        asked = self._asked(price, spec, account)
        each = price.image(asked.variant, asked.size)
        return None if each is None else each * len(report.outputs)

    def _price(self, spec: JobSpec, account: AccountSettings) -> Price | None:
        listed = self.api.rules(spec.model).price
        own = own_price(account.prices, spec.model)
        if own and listed:
            return replace(own, typical_variant=listed.typical_variant, typical_size=listed.typical_size)
        return own or (listed if at_home(account, self.api) or in_simulation(account) else None)

    def _asked(self, price: Price, spec: JobSpec, account: AccountSettings) -> Asked:
        variant = spec.params.get(price.by, account.params.get(price.by))
        return Asked(
            variant=variant if isinstance(variant, str) else None,
            size=(spec.size or "").strip() or None,
            n=spec.n,
            prompt=spec.prompt,
            images_in=len(spec.references) + (spec.mask is not None),
        )
