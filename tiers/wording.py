"""Tier groups and tiers, read out for people."""

from typing import Any

from approvals import changes
from approvals.changes import Wording
from loyalty.wording import names_of_balances, picture

from .models import TierGroupVersion, TierVersion

TIER_GROUP = Wording(
    sections=(
        ("Wording", ("name",)),
        (
            "What thresholds are compared with",
            ("measure", "measured_balance", "window_kind", "window_months"),
        ),
        (
            "Moving up",
            (
                "upgrade_strategy",
                "upgrade_every",
                "upgrade_unit",
                "upgrade_modifier",
                "upgrade_date",
            ),
        ),
        (
            "Moving down",
            (
                "downgrade_strategy",
                "downgrade_every",
                "downgrade_unit",
                "downgrade_modifier",
                "downgrade_date",
            ),
        ),
        ("Order", ("tier_order",)),
        ("Further data", ("meta",)),
    ),
    labels={
        "measured_balance": "Amounts of",
        "window_kind": "Window",
        "window_months": "Length of the window, in months",
        "upgrade_unit": "Days, weeks, months or years",
        "downgrade_unit": "Days, weeks, months or years",
        "upgrade_every": "Look every",
        "downgrade_every": "Look every",
        "upgrade_modifier": "Moved to",
        "downgrade_modifier": "Moved to",
        "tier_order": "Tiers, lowest first",
    },
    helps={
        "upgrade_date": "A day of the year as DD/MM, for example 01/07.",
        "downgrade_date": "A day of the year as DD/MM, for example 01/07.",
        "tier_order": "Leave all of it empty to order the tiers by threshold.",
        "meta": "For systems that keep data of their own with the group, as JSON.",
    },
    values={"tier_order": lambda version: _order(version)},
)

TIER = Wording(
    sections=(
        ("Wording", ("name", "description", "color", "icon", "image_ref")),
        (
            "Who gets in",
            (
                "entry",
                "threshold",
                "measure",
                "measured_balance",
                "window_kind",
                "window_months",
                "access_conditions",
                "upgrade_type",
                "reward_refs",
            ),
        ),
        (
            "Validity",
            (
                "period_type",
                "period_value",
                "start_date",
                "end_date",
                "is_fixed_type_without_year",
            ),
        ),
        (
            "Renewal",
            (
                "always",
                "renewal_conditions",
                "renewal_window_type",
                "computation_window_start_value",
                "computation_window_end_value",
                "renewal_expression_relation",
                "expression_relation_aira",
                "original_expression",
                "renewal_order_string",
            ),
        ),
        (
            "Downgrade",
            (
                "should_downgrade",
                "downgrade_to",
                "minimum_duration",
                "reevaluate_on_return",
                "daily_enabled",
            ),
        ),
        ("Messages", ("upgrade_channels",)),
        ("Further conditions", ("expression_relation", "conditions")),
    ),
    labels={
        "icon": "Picture",
        "image_ref": "Picture reference",
        "measured_balance": "Amounts of",
        "window_kind": "Window",
        "window_months": "Length of the window, in months",
        "access_conditions": "At least, all of",
        "reward_refs": "Rewards on entry",
        "period_value": "Months",
        "minimum_duration": "No downgrade before, in months",
        "renewal_conditions": "Renewed by",
        "renewal_expression_relation": "Conditions combine as",
        "expression_relation_aira": "Conditions combine as, newer form",
        "original_expression": "As it was first written",
        "renewal_order_string": "Order of the conditions",
        "conditions": "Conditions",
    },
    helps={
        "icon": "The picture's full address, beginning with https://.",
        "image_ref": "What other systems know the picture by.",
        "window_kind": "Empty: as the group measures.",
        "window_months": "1 to 36. Empty: as the group measures.",
        "access_conditions": (
            "Instead of a threshold: least amounts of several balances, all of which "
            "must be reached. Leave a balance empty to leave it out."
        ),
        "reward_refs": "Ids of rewards with commas between.",
        "upgrade_channels": "Names of channels with commas between, such as SMS, EMAIL.",
        "renewal_conditions": "What renews the tier. With none set, it always renews.",
        "renewal_order_string": "With commas between.",
        "renewal_expression_relation": (
            "AND, OR, or an expression over the conditions' numbers."
        ),
        "expression_relation_aira": (
            "Such as (1 AND 2) OR 3. The field above wins when both are given."
        ),
        "conditions": "As other systems wrote them, as JSON.",
        "start_date": "Only where the tier is valid from a fixed date.",
        "end_date": "Empty: the start and the months decide.",
        "computation_window_start_value": "For a custom period.",
        "computation_window_end_value": "For a custom period.",
    },
    values={
        "icon": lambda version: picture(version.icon),
        "access_conditions": lambda version: _least_amounts(version),
        "renewal_conditions": lambda version: _renewal(version),
    },
)

RENEWAL_AMOUNTS = {"purchase": "Purchases", "numVisits": "Visits", "points": "Points"}


def register() -> None:
    changes.put_in_words(TierGroupVersion, TIER_GROUP)
    changes.put_in_words(TierVersion, TIER)


def threshold(version: Any, unit: str = "") -> str:
    """Say in a few words who gets in: "From 1,000 points", "Everybody"."""
    if version is None:
        return ""
    if version.entry == TierVersion.Entry.BASE:
        return "Everybody"
    if version.entry == TierVersion.Entry.MANUAL:
        return "By hand only"
    if version.threshold is None:
        return _least_amounts(version)
    return f"From {changes.number(version.threshold)} {unit}".strip()


def _order(version: TierGroupVersion) -> str:
    if not isinstance(version.tier_order, list) or not version.tier_order:
        return ""
    tiers = version.group.tiers.with_wording().in_bulk(version.tier_order)
    names = [str(tiers.get(pk, f"Tier {pk}")) for pk in version.tier_order]
    return ", then ".join(names)


def _least_amounts(version: TierVersion) -> str:
    if not version.access_conditions:
        return ""
    names = names_of_balances(version.tier.program_id)
    return " and ".join(
        f"{condition['minimum']:,} {names.get(condition['balance_definition'], '?')}"
        for condition in version.access_conditions
    )


def _renewal(version: TierVersion) -> str:
    conditions = version.renewal_conditions
    if not isinstance(conditions, dict):
        return changes.in_words(conditions)
    parts = [
        f"{label} {conditions[name]}"
        for name, label in RENEWAL_AMOUNTS.items()
        if str(conditions.get(name) or "-1") != "-1"
    ]
    rest = {k: v for k, v in conditions.items() if k not in RENEWAL_AMOUNTS and v}
    if rest:
        parts.append(changes.in_words(rest))
    return ", ".join(parts)
