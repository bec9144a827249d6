"""Members and the people behind them. ``tiers`` adds what they hold."""

from dataclasses import fields
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Subquery, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse

from approvals import kinds, ui
from approvals.admin import acts, front
from approvals.admin.acts import Act, Button
from approvals.admin.drafts import lifecycle_urls
from approvals.admin.things import Begins

from .. import members
from ..forms import NewMemberForm
from ..models import Member, ProgramVersion
from . import member_acts, member_page
from .member_page import Part
from .programs import program_filter
from .search import first_of

STATUS_TONES = {"ACTIVE": "good", "INACTIVE": "warn", "CLOSED": "bad"}


class MemberStatusFilter(ui.ChoiceFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Member.Status.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(status=self.value()) if self.value() else queryset


class MemberAdmin(Begins, ui.ModelAdmin):
    """Found by e-mail, mobile, card, membership number, or the shop's own number."""

    program_path = "program"
    new_form = NewMemberForm
    list_display = ("named", "number", "program_name", "status_badge", "joined")
    list_filter = (program_filter("program"), MemberStatusFilter)
    list_select_related = ("contact",)
    search_fields = (
        "contact__email",
        "contact__name",
        "contact__external_id",
        "card",
        "subscription_id",
    )
    search_help_text = "Name, e-mail, mobile or number"
    ordering = ("pk",)

    # Who may what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(member_acts.EDIT))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Every change is a verb with a page of its own.
        return False

    # The list

    def get_queryset(self, request: HttpRequest) -> Any:
        names = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        return (
            super()
            .get_queryset(request)
            .select_related("contact")
            .annotate(named_program=Subquery(names.values("name")[:1]))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Look for whoever is named exactly, by an index, and only then for parts."""
        if len(search_term) <= ui.MAX_SEARCH:
            exactly = members.named_by(search_term, visible_to=request.user)
            if exactly:
                return queryset.filter(pk__in=exactly), False
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, duplicates
        return first_of(request, queryset, found), False

    @ui.display(description="Member", ordering="contact__name")
    def named(self, member: Any) -> Any:
        return ui.two_lines(str(member.contact), member.contact.email)

    @ui.display(description="Membership number", ordering="subscription_id")
    def number(self, member: Any) -> Any:
        return ui.two_lines(
            member.subscription_id, f"Card {member.card}" if member.card else ""
        )

    @ui.display(description="Program", ordering="named_program")
    def program_name(self, member: Any) -> str:
        return str(member.named_program or "")

    @ui.display(description="Status", ordering="status")
    def status_badge(self, member: Any) -> Any:
        return ui.badge(
            member.get_status_display(), STATUS_TONES.get(member.status, "")
        )

    @ui.display(description="Joined", ordering="created_at")
    def joined(self, member: Any) -> str:
        return ui.when(member.created_at)

    # A new one

    def begin(self, request: HttpRequest, said: dict[str, Any]) -> tuple[str, str]:
        names = [field.name for field in fields(members.Details)]
        person = members.Person(
            **{name: said[name] for name in names}, joined_at=said["joined_at"]
        )
        member = members.enrol(said["program"], person, by=request.user)
        known_as = member.contact.name
        if person.name and known_as != person.name:
            known = f"The person was known already as {known_as or 'somebody'}; "
            return (
                f"{member} is made. {known}what was known of them is kept.",
                ui.change_url(member),
            )
        return f"{member} is made: {member.contact}.", ui.change_url(member)

    # The page of one

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method == "POST":
            raise PermissionDenied("A member is changed by the buttons on their page.")
        if not (object_id.isascii() and object_id.isdigit()):
            raise Http404("There is no such member here.")
        member = self.found(request, int(object_id))
        return self.page(
            request,
            "admin/cards.html",
            title=str(member.contact),
            about="About the member",
            badges=self.badges(member),
            buttons=self.buttons(request, member),
            facts=member_page.facts(member),
            more_buttons=member_acts.membership_buttons(request.user, member),
            parts=self.parts(request, member),
        )

    def found(self, request: HttpRequest, pk: int) -> Any:
        member = super().found(request, pk)
        member.program.live_name = member.named_program
        prefetch_related_objects([member], "intervals")
        member.now_belongs = any(
            interval.ended_at is None for interval in member.intervals.all()
        )
        return member

    def badges(self, member: Any) -> list[Any]:
        badges = [self.status_badge(member)]
        if not member.now_belongs and member.status != Member.Status.CLOSED:
            badges.append(ui.badge("Has left", "warn"))
        if member.contact.erased_at:
            badges.append(ui.badge("Data erased", "bad"))
        return badges

    def buttons(self, request: HttpRequest, member: Any) -> list[Button]:
        """What can be done to the member, besides their membership itself."""
        return member_acts.buttons(request.user, member)

    def parts(self, request: HttpRequest, member: Any) -> list[Part]:
        """The cards of the page, in their order, each with its template."""
        return [
            member_page.balances(member),
            member_page.ledger(request, member),
            member_page.membership(member),
            member_page.events(member),
        ]

    # Verbs

    def get_urls(self) -> list[Any]:
        return lifecycle_urls(self) + super().get_urls()

    def lifecycle_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        act = self.act(request, self.found(request, pk), verb)
        if act is None:
            raise Http404("There is no such page.")
        return acts.confirm(self, request, act)

    def act(self, request: HttpRequest, member: Any, verb: str) -> Act | None:
        """Describe a verb on a member, or None for one that there is not."""
        return member_acts.act(request.user, member, verb)


class ContactAdmin(ui.ReadOnlyAdmin):
    list_display = ("named", "email", "mobile", "external_id")
    search_fields = ("email", "name", "external_id", "mobile")
    fields = ("name", "email", "mobile", "external_id", "made")
    readonly_fields = ("made",)
    why_read_only = "A person's details are changed on the page of the member."

    def get_queryset(self, request: HttpRequest) -> Any:
        queryset = super().get_queryset(request)
        visible = kinds.programs().visible_to(request.user)
        if visible is None:
            return queryset
        members = Member.objects.filter(contact=OuterRef("pk"), program__in=visible)
        return queryset.filter(Exists(members))

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        found, duplicates = super().get_search_results(request, queryset, search_term)
        if not search_term.strip():
            return found, duplicates
        return first_of(request, queryset, found), False

    @ui.display(description="Contact", ordering="name")
    def named(self, contact: Any) -> str:
        return str(contact)

    @ui.display(description="Known since", ordering="created_at")
    def made(self, contact: Any) -> str:
        return ui.when(contact.created_at)


front.add_links(
    "Customers",
    ("Members", "groups", "admin:loyalty_member_changelist", "loyalty.view_member"),
    (
        "Contacts",
        "contact_page",
        "admin:loyalty_contact_changelist",
        "loyalty.view_contact",
    ),
)
