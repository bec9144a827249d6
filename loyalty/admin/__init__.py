"""The admin of programs, balances, members and the ledger."""

from django.contrib import admin

from ..models import (
    ApiKey,
    Balance,
    BalanceDefinition,
    BalanceDefinitionVersion,
    Contact,
    Member,
    PointsEntry,
    PointsRequest,
    Program,
    ProgramLimit,
    ProgramVersion,
)
from .adjustments import PointsRequestAdmin
from .balances import BalanceDefinitionAdmin, BalanceDefinitionVersionAdmin
from .keys import ApiKeyAdmin
from .ledger import BalanceAdmin, PointsEntryAdmin
from .members import ContactAdmin, MemberAdmin
from .programs import ProgramAdmin, ProgramLimitAdmin, ProgramVersionAdmin

admin.site.register(Program, ProgramAdmin)
admin.site.register(ProgramVersion, ProgramVersionAdmin)
admin.site.register(ProgramLimit, ProgramLimitAdmin)
admin.site.register(BalanceDefinition, BalanceDefinitionAdmin)
admin.site.register(BalanceDefinitionVersion, BalanceDefinitionVersionAdmin)
admin.site.register(Contact, ContactAdmin)
admin.site.register(Member, MemberAdmin)
admin.site.register(Balance, BalanceAdmin)
admin.site.register(PointsEntry, PointsEntryAdmin)
admin.site.register(PointsRequest, PointsRequestAdmin)
admin.site.register(ApiKey, ApiKeyAdmin)
