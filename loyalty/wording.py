"""Programs and balance definitions, read out for people."""

from decimal import Decimal
from typing import Any

from approvals import changes
from approvals.changes import Wording

from .models import BalanceDefinition, BalanceDefinitionVersion, ProgramVersion

PROGRAM = Wording(
    sections=(
        ("Wording", ("name", "description")),
        ("How points count", ("time_zone", "rolling_window_months")),
        ("Rules for changes", ("approval_required", "tier_name_rule")),
        (
            "Members without a tier",
            ("base_tier_name", "base_tier_description", "base_tier_icon"),
        ),
        ("Messages", ("renewal_channels", "downgrade_channels", "reminder_channels")),
        ("Further data", ("meta",)),
    ),
    labels={
        "rolling_window_months": "Rolling window, in months",
        "approval_required": "Changes need approval",
        "tier_name_rule": "Tier names within a group",
        "base_tier_name": "Called",
        "base_tier_description": "Described as",
        "base_tier_icon": "Picture",
        "renewal_channels": "Tell about a renewal by",
        "downgrade_channels": "Tell about a downgrade by",
        "reminder_channels": "Remind before a tier ends by",
    },
    helps={
        "renewal_channels": "Names of channels with commas between, such as SMS, EMAIL.",
        "downgrade_channels": "Names of channels with commas between.",
        "reminder_channels": "Names of channels with commas between.",
        "base_tier_icon": "The picture's full address, beginning with https://.",
        "tier_name_rule": "When two tiers of one group count as having the same name.",
        "meta": "For systems that keep data of their own with the program, as JSON.",
    },
    values={"base_tier_icon": lambda version: picture(version.base_tier_icon)},
)

BALANCE_DEFINITION = Wording(
    sections=(
        ("Wording", ("name", "description", "unit", "image_ref", "is_internal")),
        (
            "Limits",
            ("minimum", "maximum", "overtaking", "credit_limit", "debit_limit"),
        ),
        ("Rounding", ("credit_rounding", "debit_rounding")),
        (
            "Expiry",
            (
                "availability_value",
                "availability_unit",
                "availability_end",
                "expires_on",
            ),
        ),
        ("Further data", ("meta",)),
    ),
    labels={
        "image_ref": "Picture reference",
        "is_internal": "Kept from members",
        "credit_rounding": "Rounding of credits",
        "debit_rounding": "Rounding of debits",
        "availability_value": "Amounts expire after",
        "availability_unit": "Days, weeks, months or years",
        "availability_end": "Counted to",
        "expires_on": "Or every year on",
    },
    helps={
        "image_ref": "What other systems know the picture by.",
        "maximum": "Empty: no limit. In the smallest unit.",
        "credit_limit": "Empty: no limit. In the smallest unit.",
        "debit_limit": "Empty: no limit. In the smallest unit.",
        "minimum": (
            "Redeeming never goes below it, in the smallest unit (cents where there "
            "are 2 decimals). Empty: no limit."
        ),
        "meta": "For systems that keep data of their own here, as JSON.",
    },
    values={
        "minimum": lambda version: in_units(version, version.minimum),
        "maximum": lambda version: in_units(version, version.maximum),
        "credit_limit": lambda version: in_units(version, version.credit_limit),
        "debit_limit": lambda version: in_units(version, version.debit_limit),
    },
)


def register() -> None:
    changes.put_in_words(ProgramVersion, PROGRAM)
    changes.put_in_words(BalanceDefinitionVersion, BALANCE_DEFINITION)


def picture(value: Any) -> str:
    """Read out a picture: its address, else whatever is stored."""
    if not value:
        return ""
    return str(value.get("url") or changes.in_words(value))


def amount(value: int, scale: int, unit: str = "") -> str:
    """Write an amount, counted in the smallest unit, as people do: 12.50 EUR."""
    return f"{Decimal(value).scaleb(-scale):,.{scale}f} {unit_name(unit)}".strip()


def unit_name(unit: str) -> str:
    """POINTS reads "points"; a currency stays as it is written."""
    return unit if len(unit) == 3 and unit.isupper() else unit.lower()


def in_units(version: BalanceDefinitionVersion, value: int | None) -> str:
    if value is None:
        return ""
    return amount(value, version.balance_definition.scale, version.unit)


def names_of_balances(program_id: int) -> dict[int, str]:
    """What the program's balances are called, by id, the built-in ones first."""
    definitions = (
        BalanceDefinition.objects.filter(program=program_id, discarded_at__isnull=True)
        .with_live()
        .order_by("pk")
    )
    return {definition.pk: str(definition) for definition in definitions}
