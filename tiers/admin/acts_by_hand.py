"""What a person can do to a member's tiers: move, override, have evaluated."""

from functools import partial
from typing import Any

from django.http import HttpRequest

from approvals import ui
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_url
from approvals.errors import Refused
from loyalty.admin.member_acts import about, allowed, refusal
from loyalty.errors import NotAMember
from loyalty.forms import ShortReasonForm

from .. import acts
from ..errors import OverrideOver
from ..forms import ActOnTierForm, EvaluateForm, OverrideForm
from ..models import Tier, TierGroup

MOVE = "loyalty.move_members"
DOING = "change tiers by hand"


def buttons(user: Any, member: Any, group: Any, override: Any) -> list[Button]:
    """What can be done to a member in one group."""
    if not user.has_perm(MOVE) or not member.now_belongs:
        return []
    query = f"?group={group.pk}"
    found = [Button("Move to a tier", lifecycle_url(member, "move") + query)]
    if override:
        found.append(Button("End override", lifecycle_url(override, "end_override")))
    else:
        url = lifecycle_url(member, "override") + query
        found.append(Button("Set an override", url))
    url = lifecycle_url(member, "evaluate") + query
    found.append(Button("Evaluate now", url))
    return found


def act(request: HttpRequest, member: Any, verb: str) -> Act | None:
    makers = {"move": move_act, "override": override_act, "evaluate": evaluate_act}
    return makers[verb](request, member) if verb in makers else None


def why_not(user: Any, member: Any) -> Refused | None:
    not_allowed = refusal(user, MOVE, DOING)
    if not_allowed:
        return not_allowed
    if not member.now_belongs:
        return NotAMember(f"{member} does not belong to the program.")
    return None


def move_act(request: HttpRequest, member: Any) -> Act:
    user = request.user
    tiers = live_tiers(request, member)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(refusal(user, MOVE, DOING))
        tier = tiers[said["tier"]]
        acts.move(member, tier, by=user, reason=said["comment"])
        return f"{member.contact} is in {tier.live_name} now.", ui.change_url(member)

    return Act(
        label="Move to a tier",
        about=about(member),
        promise=(
            "The member holds this tier at once, and until the group's rules look at "
            "them the next time. To keep them there whatever they earn, set an "
            "override instead."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(ActOnTierForm, tiers=choices(tiers, member)),
        facts=tiers_now(member, tiers),
        why_not=why_not(user, member),
    )


def override_act(request: HttpRequest, member: Any) -> Act:
    user = request.user
    tiers = live_tiers(request, member)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(refusal(user, MOVE, DOING))
        tier = tiers[said["tier"]]
        made = acts.override(
            member,
            tier,
            bound=said["bound"],
            until=said["until"],
            by=user,
            reason=said["comment"],
        )
        bound = made.get_bound_display().lower()
        told = f"{member.contact} holds {bound} {tier.live_name} from now on."
        return told, ui.change_url(member)

    return Act(
        label="Set an override",
        about=about(member),
        promise=(
            "From now on, and until its end, the member holds what you say, whatever "
            "the points say. Beneath it everything goes on: when it ends, the tier "
            "that the points give shows at once."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(OverrideForm, tiers=choices(tiers, member)),
        facts=tiers_now(member, tiers),
        why_not=why_not(user, member),
    )


def evaluate_act(request: HttpRequest, member: Any) -> Act:
    user = request.user
    groups = {group.pk: group for group in live_groups(request, member)}

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(refusal(user, MOVE, DOING))
        acts.order_evaluation(
            member, groups[said["group"]], by=user, reason=said["comment"]
        )
        told = f"{member.contact} was evaluated, and holds what the points give."
        return told, ui.change_url(member)

    return Act(
        label="Evaluate now",
        about=about(member),
        promise=(
            "The member is looked at now, upwards and downwards, even where the rules "
            "would wait for an anniversary. A tier given by hand ends with it; an "
            "override stays."
        ),
        run=run,
        back=ui.change_url(member),
        form=partial(
            EvaluateForm, groups=[(pk, str(group)) for pk, group in groups.items()]
        ),
        why_not=why_not(user, member),
    )


def end_act(user: Any, override: Any) -> Act:
    member = override.member
    name = str(override.tier.live_name or "the tier")
    not_allowed = refusal(user, MOVE, "end overrides")

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(not_allowed)
        acts.end_override(override, by=user, reason=said["comment"])
        told = f"The override of {member.contact} has ended."
        return told, ui.change_url(member)

    over: Refused | None = None
    if override.ended_at:
        over = OverrideOver("This override is over already.")
    return Act(
        label="End override",
        about=f"{override.get_bound_display().lower()} {name}, {about(member)}",
        promise="The tier that the points give shows again at once.",
        run=run,
        back=ui.change_url(member),
        form=ShortReasonForm,
        facts=[
            ("Set by", f"{override.made_by or ''}, {ui.when(override.at)}"),
            ("Reason", override.reason),
            ("Would end", ui.when(override.until, "Only by hand")),
        ],
        why_not=not_allowed or over,
    )


# Everybody in a group


def evaluate_all_button(user: Any, group: Any) -> list[Button]:
    if not user.has_perm(MOVE):
        return []
    return [Button("Evaluate everybody", lifecycle_url(group, "evaluate"))]


def evaluate_all_act(user: Any, group: Any) -> Act:
    not_allowed = refusal(user, MOVE, DOING)

    def run(said: dict[str, Any]) -> tuple[str, str]:
        allowed(not_allowed)
        acts.order_evaluation_of_all(group, by=user, reason=said["comment"])
        told = "Everybody is evaluated: at once in a small program, else by a run."
        return told, ui.change_url(group)

    return Act(
        label="Evaluate everybody",
        about=str(group),
        promise=(
            "Every member is looked at, upwards and downwards, even where the rules "
            "would wait for an anniversary. Tiers given by hand end with it; "
            "overrides stay. The runs tell how far it is and who moved."
        ),
        run=run,
        back=ui.change_url(group),
        form=ShortReasonForm,
        why_not=not_allowed,
        dangerous=True,
    )


# What can be chosen


def live_groups(request: HttpRequest, member: Any) -> list[Any]:
    """The program's live groups; only the one that the address asks for, if any."""
    live = TierGroup.objects.kept().filter(
        program=member.program_id, versions__status="LIVE"
    )
    groups = list(live.with_live().order_by("pk"))
    asked = request.GET.get("group", "")
    return [group for group in groups if str(group.pk) == asked] or groups


def live_tiers(request: HttpRequest, member: Any) -> dict[int, Any]:
    """Live tiers by id, lowest first; a retired one cannot be given any more."""
    groups = {group.pk: group for group in live_groups(request, member)}
    tiers: Any = Tier.objects.filter(group__in=groups).with_wording()
    live = tiers.filter(live_version_id__isnull=False)
    found = {}
    for tier in live.order_by("group", "serial_number", "pk"):
        tier.group_name = str(groups[tier.group_id])
        found[tier.pk] = tier
    return found


def choices(tiers: dict[int, Any], member: Any) -> list[tuple[Any, Any]]:
    """Tiers to choose from, under the names of their groups where there are several."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for tier in tiers.values():
        groups.setdefault(tier.group_name, []).append((tier.pk, tier.live_name))
    if len(groups) == 1:
        return [choice for group in groups.values() for choice in group]
    return list(groups.items())


def tiers_now(member: Any, tiers: dict[int, Any]) -> list[tuple[str, Any]]:
    groups = {tier.group_id: tier.group_name for tier in tiers.values()}
    held = member.standings.filter(group__in=groups).order_by("group")
    return [
        (
            f"{groups[standing.group_id]}: now",
            tiers[standing.tier_id].live_name if standing.tier_id in tiers else "None",
        )
        for standing in held
    ]
