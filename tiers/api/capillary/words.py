"""Words of the vendor's that reading and writing share."""

from typing import Final

from tiers.models.groups import Measure

#: What is compared is a tracker unless it is one of the three before it.
KPI_TYPES: Final = (
    "CURRENT_POINTS",
    "CUMULATIVE_POINTS",
    "CUMULATIVE_PURCHASES",
    TRACKER := "TRACKER_VALUE_BASED",
)
SAME_AS_ELIGIBILITY: Final = "Same as eligibility"
VALIDITY_UNITS: Final = (MONTHS := "NUM_MONTHS",)
NOT_SET: Final = "-1"
#: Conditions of renewal that are one amount each.
CONDITIONS: Final = ("purchase", "numVisits", "points")


def kpi_type(
    measure: str, balance: int | None, points: int | None, purchases: int | None
) -> str:
    """Word what a threshold is compared with."""
    if balance is not None and balance == purchases:
        return "CUMULATIVE_PURCHASES"
    if balance not in (None, points):
        return TRACKER
    return "CURRENT_POINTS" if measure == Measure.CURRENT else "CUMULATIVE_POINTS"
