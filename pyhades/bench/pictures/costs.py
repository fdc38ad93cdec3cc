"""What pictures cost, and how long many of them take."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).with_name("prices.toml")
SECONDS_PER_DAY = 86400
BILLION = 1e9

PriceKind = Literal["list", "spot", "commitment"]


@dataclass(frozen=True)
class Price:
    """Of a machine, dated; see ``prices.toml``.

    A machine may have several, which differ in ``kind`` and ``term``.
    """

    name: str
    cpu: str
    vcpus: int
    cores: int
    usd_per_hour: float
    kind: PriceKind
    date: str
    source: str
    term: str = "none"
    bandwidth_gb_s: float | None = None
    bandwidth_from: str = "not known"
    io_gb_s: float | None = None
    io_from: str = "not known"


@dataclass(frozen=True)
class Cost:
    """Of pictures at a rate.

    Attributes
    ----------
    rate_is
        Whether the rate was ``"measured"``, is ``"predicted"`` or was ``"published"`` by others.
    usd_per_million, usd_per_billion
        None where no price is known.
    """

    subject: str
    rate_is: Literal["measured", "predicted", "published"]
    images_s: float
    usd_per_hour: float | None
    price: str
    usd_per_million: float | None
    usd_per_billion: float | None
    days_for_a_billion: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def price_table(path: Path = TABLE) -> list[Price]:
    """All prices that ship."""
    with path.open("rb") as file:
        return [Price(**entry) for entry in tomllib.load(file)["machine"]]


def usd_per_million(usd_per_hour: float, images_s: float) -> float:
    """What a million pictures cost.

    Examples
    --------
    >>> round(usd_per_million(10.346, 230), 2)
    12.5
    """
    return usd_per_hour / 3600 / images_s * 1e6


def days_for(count: float, images_s: float) -> float:
    """How long so many pictures take.

    Examples
    --------
    >>> round(days_for(1e9, 230), 1)
    50.3
    """
    return count / images_s / SECONDS_PER_DAY


def cost(
    subject: str,
    rate_is: Literal["measured", "predicted", "published"],
    images_s: float,
    usd_per_hour: float | None,
    price: str,
) -> Cost:
    """Of pictures at a rate, on a machine of a price."""
    million = None if usd_per_hour is None else usd_per_million(usd_per_hour, images_s)
    return Cost(
        subject=subject,
        rate_is=rate_is,
        images_s=images_s,
        usd_per_hour=usd_per_hour,
        price=price,
        usd_per_million=None if million is None else round(million, 4),
        usd_per_billion=None if million is None else round(million * 1000, 1),
        days_for_a_billion=round(days_for(BILLION, images_s), 2),
    )


def described(price: Price) -> str:
    """Its kind, date and source in one line."""
    kind = price.kind if price.term == "none" else f"{price.kind} of {price.term}"
    return f"{kind}, {price.date}, {price.source}"
