"""The admin of tier groups, tiers, and who holds them."""

from django.contrib import admin

from loyalty.models import Member, Program

from ..models import (
    ManualMove,
    MemberSetAside,
    OrderedEvaluation,
    Override,
    Recalculation,
    Run,
    Standing,
    Tier,
    TierAssignment,
    TierGroup,
    TierGroupVersion,
    TierVersion,
)
from .by_hand import ManualMoveAdmin, OrderedEvaluationAdmin, OverrideAdmin
from .groups import TierGroupAdmin, TierGroupVersionAdmin
from .members import MemberWithTiersAdmin
from .people import StandingAdmin, TierAssignmentAdmin
from .programs import ProgramWithTiersAdmin
from .runs import MemberSetAsideAdmin, RecalculationAdmin, RunAdmin
from .tiers import TierAdmin, TierVersionAdmin

admin.site.register(TierGroup, TierGroupAdmin)
admin.site.register(TierGroupVersion, TierGroupVersionAdmin)
admin.site.register(Tier, TierAdmin)
admin.site.register(TierVersion, TierVersionAdmin)
admin.site.register(Standing, StandingAdmin)
admin.site.register(TierAssignment, TierAssignmentAdmin)
admin.site.register(Recalculation, RecalculationAdmin)
admin.site.register(Run, RunAdmin)
admin.site.register(MemberSetAside, MemberSetAsideAdmin)
admin.site.register(ManualMove, ManualMoveAdmin)
admin.site.register(Override, OverrideAdmin)
admin.site.register(OrderedEvaluation, OrderedEvaluationAdmin)

# What loyalty shows of a member and a program, with their tiers.
for model, model_admin in (
    (Member, MemberWithTiersAdmin),
    (Program, ProgramWithTiersAdmin),
):
    admin.site.unregister(model)
    admin.site.register(model, model_admin)
