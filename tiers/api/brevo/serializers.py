"""The vendor's words for programs, tier groups, tiers and rewards, sent and received."""

from typing import Any, Final

from rest_framework import serializers

from loyalty.models import Program, ProgramVersion, Reward
from tiers.editions import Edition
from tiers.models import TierGroupVersion, TierVersion
from tiers.models.groups import MOST_PERIODS

from .. import strict
from .fields import Body, ObjectField, Query, UuidField, written

TiersStatus = Program.TiersStatus
STRATEGIES: Final = {s.lower(): s for s in TierGroupVersion.Strategy.values}
UNITS: Final = {u.lower(): u for u in TierGroupVersion.Unit.values}
MODIFIERS: Final = {m.lower(): m for m in TierGroupVersion.Modifier.values}
STATES: Final = {
    TiersStatus.ACTIVE: "active",
    TiersStatus.DRAFT: "draft",
    TiersStatus.DISABLED: "inactive",
    TiersStatus.PAUSED: "inactive",
}
WAYS: Final = ("upgrade", "downgrade")
MOST_CONDITIONS: Final = 20
MOST_REWARDS: Final = 100
MOST_TIERS: Final = 1000

# What is sent


def program(version: ProgramVersion) -> dict[str, Any]:
    said = version.program
    assert version.live_from is not None
    return {
        "id": str(said.uuid),
        "name": version.name,
        "description": version.description,
        "meta": version.meta,
        "state": STATES[TiersStatus(said.tiers_status)],
        "createdAt": written(said.created_at),
        "updatedAt": written(version.live_from),
    }


def group(version: TierGroupVersion, edition: Edition) -> dict[str, Any]:
    document = {
        "id": str(version.group.uuid),
        "loyaltyProgramId": str(edition.program.uuid),
        "name": version.name,
        "upgradeStrategy": version.upgrade_strategy.lower(),
        "downgradeStrategy": version.downgrade_strategy.lower(),
        "tierOrder": [str(tier.tier.uuid) for tier in edition.tiers_of(version)],
        "meta": version.meta,
        "createdAt": written(version.group.created_at),
        "updatedAt": written(version.updated_at),
    }
    for way in WAYS:
        if schedule := _schedule(version, way):
            document[f"{way}Schedule"] = schedule
    return document


def _schedule(version: TierGroupVersion, way: str) -> dict[str, Any]:
    said = {
        "durationValue": getattr(version, f"{way}_every"),
        "durationUnit": getattr(version, f"{way}_unit").lower(),
        "durationModifier": getattr(version, f"{way}_modifier").lower(),
        "scheduledDate": getattr(version, f"{way}_date"),
    }
    schedule = {name: value for name, value in said.items() if value}
    if schedule:
        schedule["strategy"] = getattr(version, f"{way}_strategy").lower()
    return schedule


def tier(version: TierVersion, edition: Edition) -> dict[str, Any]:
    document = {
        "tierId": str(version.tier.uuid),
        # The vendor's integrations are seen to read this one.
        "id": str(version.tier.uuid),
        "groupId": str(edition.group_of(version).group.uuid),
        "loyaltyProgramId": str(edition.program.uuid),
        "name": version.name,
        "accessConditions": [
            {
                "balanceDefinitionId": str(edition.balances[balance].uuid),
                "minimumValue": least,
            }
            for balance, least in edition.least_amounts(version)
        ],
        "tierRewards": [{"rewardId": reward} for reward in version.reward_refs],
        "createdAt": written(version.tier.created_at),
        "updatedAt": written(version.updated_at),
    }
    if version.image_ref:
        document["imageRef"] = version.image_ref
    return document


def reward(said: Reward) -> dict[str, Any]:
    return {
        "id": str(said.uuid),
        "loyaltyProgramId": str(said.program.uuid),
        "name": said.name,
        "publicName": said.public_name,
        "publicDescription": said.public_description,
        "publicImage": said.public_image,
        "createdAt": written(said.created_at),
        "updatedAt": written(said.created_at),
    }


# What is received


class WordField(strict.ChoiceField):
    """One of the vendor's words; ours from here on."""

    def __init__(self, words: dict[str, str], **options: Any) -> None:
        self.words = words
        super().__init__(choices=list(words), **options)

    def to_internal_value(self, data: Any) -> str:
        return self.words[super().to_internal_value(data)]


def _name(**options: Any) -> strict.LineField:
    return strict.LineField(max_length=128, **options)


class NewProgram(Body):
    name = _name()
    description = strict.TextField(max_length=256, required=False, allow_blank=True)
    meta = ObjectField(required=False)


class PartOfProgram(NewProgram):
    name = _name(required=False)


class ProgramList(Query):
    # Any word: which there are is judged where a bad one is a bad request.
    sort_field = strict.LineField(
        required=False, default="created_at", allow_blank=True, trim_whitespace=False
    )
    limit = strict.LimitParameter(required=False)
    offset = strict.NumberParameter(required=False, min_value=0, default=0)
    sort = strict.ChoiceField(choices=["asc", "desc"], required=False, default="desc")


class Schedule(Body):
    durationValue = strict.IntegerField(
        source="every", min_value=1, max_value=MOST_PERIODS, required=False
    )
    durationUnit = WordField(UNITS, source="unit", required=False)
    durationModifier = WordField(MODIFIERS, source="modifier", required=False)
    scheduledDate = strict.LineField(source="date", max_length=5, required=False)


#: A schedule that says nothing.
NO_SCHEDULE: Final = {"every": None, "unit": "", "modifier": "", "date": ""}


class NewGroup(Body):
    """A group; what it is measured by is said by its tiers."""

    #: What the vendor's guides call the strategies.
    ALIASES: Final = {f"{way}EvaluationTrigger": f"{way}Strategy" for way in WAYS}

    name = _name()
    upgradeStrategy = WordField(STRATEGIES, source="upgrade_strategy", required=False)
    downgradeStrategy = WordField(
        STRATEGIES, source="downgrade_strategy", required=False
    )
    tierOrder: Any = serializers.ListField(
        child=UuidField(), required=False, max_length=MOST_TIERS
    )
    upgradeSchedule = Schedule(required=False, allow_null=True)
    downgradeSchedule = Schedule(required=False, allow_null=True)
    meta = ObjectField(required=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict):
            aliases = {
                name: data[alias]
                for alias, name in self.ALIASES.items()
                if alias in data
            }
            data = aliases | data
        said: dict[str, Any] = super().to_internal_value(data)
        for way in WAYS:
            if f"{way}Schedule" in said:
                sent = NO_SCHEDULE | (said.pop(f"{way}Schedule") or {})
                said |= {f"{way}_{name}": value for name, value in sent.items()}
        return said


class ChangedGroup(NewGroup):
    """All of a group, but for schedules: what is not sent of them stays, unless
    members are moved at once."""

    upgradeStrategy = WordField(STRATEGIES, source="upgrade_strategy")
    downgradeStrategy = WordField(STRATEGIES, source="downgrade_strategy")
    tierOrder: Any = serializers.ListField(child=UuidField(), max_length=MOST_TIERS)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        said = super().to_internal_value(data)
        for way in WAYS:
            at_once = said[f"{way}_strategy"] == TierGroupVersion.Strategy.REAL_TIME
            if at_once and f"{way}_every" not in said:
                said |= {f"{way}_{name}": value for name, value in NO_SCHEDULE.items()}
        return said


class AccessCondition(Body):
    balanceDefinitionId = UuidField()
    minimumValue = strict.IntegerField(min_value=0)


class TierReward(Body):
    rewardId = UuidField()


class NewTier(Body):
    """A tier, new or as it shall be: ``tierRewards`` that are not sent stay."""

    name = _name()
    accessConditions: Any = serializers.ListField(
        child=AccessCondition(), max_length=MOST_CONDITIONS
    )
    imageRef = strict.LineField(
        source="image_ref", max_length=200, default="", allow_blank=True
    )
    tierRewards: Any = serializers.ListField(
        child=TierReward(), required=False, max_length=MOST_REWARDS
    )


class NewReward(Body):
    name = _name()
    publicName = _name(source="public_name", required=False, allow_blank=True)
    publicDescription = strict.TextField(
        source="public_description", max_length=500, required=False, allow_blank=True
    )
    publicImage = strict.LineField(
        source="public_image", max_length=500, required=False, allow_blank=True
    )


class RewardList(Query):
    limit = strict.LimitParameter(required=False)
    offset = strict.NumberParameter(required=False, min_value=0, default=0)


class Version(Query):
    """Which edition: what is live, or what would be."""

    version = strict.ChoiceField(
        choices=["draft", "active"], required=False, default="draft"
    )
