"""Reading prices as people write them: in the catalog, and in an account's `prices`, which win over it.

An account's `prices` map a model to `{"per_image": "0.02"}`, to `{"per_image": {QUALITY: {SIZE: "0.02"}}}`, or to the inner
mapping alone. A row without sizes counts for all of them; `by` names another field than quality whose values choose the row.
"""

from collections.abc import Mapping
from decimal import Decimal

from orchestrator.jobs.places import BadInput
from orchestrator.jobs.spec import Json
from orchestrator.providers.prices import Price, Rates, Table, Tokens
from orchestrator.providers.section import Section, day, money, text, whole


def read_prices(prices: Mapping[str, Json]) -> dict[str, Price]:
    """Return an account's own price of each model it names; raise `BadInput` with everything that is wrong."""
    section = Section(prices, "prices")
    found = {model: _own_price(inner) for model, inner in section.sections()}
    section.check()
    return found


def own_price(prices: Mapping[str, Json], model: str) -> Price | None:
    """Return an account's own price of one model, if it names one; raise `BadInput` when that is wrong."""
    return read_prices({model: prices[model]})[model] if model in prices else None


def problems_of(prices: Mapping[str, Json], model: str) -> str | None:
    """Return what is wrong with an account's own price of a model, in words; None when all is well."""
    try:
        own_price(prices, model)
    except BadInput as bad:
        return str(bad)
    return None


def read_price(section: Section) -> Price:
    """Read a catalog's `price`: rates, factors, a table, and what `auto` stands for, with date and source."""
    as_of, source = section.read("as_of", day), section.read("source", text)
    if as_of is None or source is None:
        section.needs("as_of and source")
    typical = section.section("typical")
    price = Price(
        as_of=as_of,
        source=source,
        by=section.read("by", text) or "quality",
        table=_table(section, "per_image"),
        rates=_rates(section.section("rates")),
        factors=_factors(section.section("factors")),
        reference_tokens=_tokens(section.section("reference_tokens")),
        typical_variant=typical.read("variant", text) if typical else None,
        typical_size=typical.read("size", text) if typical else None,
        largest_size=section.read("largest_size", text),
        unit=section.read("unit", money),
    )
    if typical:
        typical.close()
    section.close()
    return price


def _own_price(section: Section) -> Price:
    by = section.read("by", text) or "quality"
    if "per_image" in section:
        table = _table(section, "per_image")
        section.close()
        return Price(by=by, table=table)
    table = {key: amount for name in section.names() if name != "by" for key, amount in _row(section, name).items()}
    if not table:
        section.needs("per_image, or prices by quality and size")
    return Price(by=by, table=table)


def _table(section: Section, name: str) -> Table:
    if name not in section:
        return {}
    amount, inner = _amount_or_section(section, name)
    if inner is None:
        return {} if amount is None else {(None, None): amount}
    return {key: price for variant in inner.names() for key, price in _row(inner, variant).items()}


def _row(section: Section, variant: str) -> Table:
    amount, sizes = _amount_or_section(section, variant)
    if sizes is None:
        return {} if amount is None else {(variant, None): amount}
    return {(variant, size): price for size in sizes.names() if (price := sizes.read(size, money)) is not None}


def _amount_or_section(section: Section, name: str) -> tuple[Decimal | None, Section | None]:
    is_mapping = section.read(name, lambda value: isinstance(value, Mapping))
    return (None, section.section(name)) if is_mapping else (section.read(name, money), None)


def _rates(section: Section | None) -> Rates | None:
    if section is None:
        return None
    text_in, image_in, image_out = (section.read(name, money) for name in ("text_in", "image_in", "image_out"))
    section.close()
    if text_in is None or image_in is None or image_out is None:
        section.needs("text_in, image_in and image_out")
        return None
    return Rates(text_in=text_in, image_in=image_in, image_out=image_out)


def _factors(section: Section | None) -> dict[str, int]:
    if section is None:
        return {}
    return {name: factor for name in section.names() if (factor := section.read(name, whole)) is not None}


def _tokens(section: Section | None) -> Tokens | None:
    if section is None:
        return None
    likely, worst = section.read("likely", whole), section.read("worst", whole)
    section.close()
    if likely is None or worst is None:
        section.needs("likely and worst")
        return None
    return Tokens(likely=likely, worst=worst)
