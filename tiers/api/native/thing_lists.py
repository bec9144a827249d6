"""Which things a list shows, in which order, and what it can be narrowed by."""

from typing import Any, ClassVar, Final

from django.db.models import (
    DateTimeField,
    Exists,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce

from approvals import kinds
from approvals.models import AuditEvent, Version

from ..access import sees_drafts
from . import filters, versions

Status = Version.Status
RETIRED: Final = "RETIRED"


def with_versions(things: Any, version_model: Any, user: Any) -> QuerySet[Any]:
    """Annotate what lists are narrowed and ordered by; fetch what is live and open.

    Keys that do not draft see no drafts, nor what was never live, nor when a draft of
    what they see was changed.
    """
    table = version_model.objects.filter(**{version_model.THING: OuterRef("pk")})
    kind = kinds.kind_of(version_model())
    live = table.filter(status=Status.LIVE)
    open_ = table.filter(status__in=Version.OPEN, direct=False)
    if sees_drafts(user):
        events = AuditEvent.objects.filter(kind=kind.name, object_id=OuterRef("pk"))
        changed = _latest(events.values("object_id"), "created_at")
        name = Coalesce(
            Subquery(live.values("name")[:1]),
            Subquery(open_.values("name")[:1]),
            Value(""),
        )
    else:
        published = table.filter(status__in=versions.SEEN_BY_ALL)
        things = things.filter(Exists(published))
        instant = Coalesce("live_until", "live_from")
        changed = _latest(published.values(version_model.THING), instant)
        name = Coalesce(Subquery(live.values("name")[:1]), Value(""))
    return (
        things.annotate(current_name=name)
        .annotate(changed_at=Coalesce(Subquery(changed), "created_at"))
        .prefetch_related(versions.current(version_model))
    )


def _latest(rows: Any, instant: Any) -> Any:
    latest = rows.order_by().annotate(latest=Max(instant, output_field=DateTimeField()))
    return latest.values("latest")


class ThingFilters(filters.FilterSet):
    """Narrows things by themselves, and by one of their versions.

    What is asked about versions has to hold of one and the same, live or open.
    """

    program = filters.NumberFilter(
        field_name="program_id", help_text="Of this program."
    )
    status = filters.ChoiceFilter(
        words=[*Version.OPEN, Status.LIVE, RETIRED],
        method="about_versions",
        help_text=(
            "With a version in this status; RETIRED: nothing of it is live or open any "
            "more."
        ),
    )
    changed_since = filters.InstantFilter(
        field_name="changed_at",
        lookup_expr="gte",
        help_text="Something was done to it at this instant or later.",
    )

    version_model: ClassVar[Any]
    #: {filter: lookup} of those that ask about a version.
    lookups: ClassVar[dict[str, str]] = {}

    def about_versions(self, queryset: Any, name: str, value: Any) -> Any:
        """Leave it to ``filter_queryset``, which asks all of it at once."""
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        queryset = super().filter_queryset(queryset)
        asked = {
            name: value
            for name, value in self.form.cleaned_data.items()
            if value is not None and (name in self.lookups or name == "status")
        }
        if not asked:
            return queryset
        status = asked.pop("status", None)
        conditions = {self.lookups[name]: value for name, value in asked.items()}
        table = self.versions().filter(
            **{self.version_model.THING: OuterRef("pk")}, **conditions
        )
        blind = not sees_drafts(self.request.user)
        seen = Q(status=Status.LIVE)
        if not blind:
            seen |= Q(status__in=Version.OPEN, direct=False)
        if status == RETIRED:
            now = self.versions().filter(
                seen, **{self.version_model.THING: OuterRef("pk")}
            )
            return queryset.filter(
                ~Exists(now), Exists(table.filter(status=Status.SNAPSHOT))
            )
        if status is not None:
            seen &= Q(status=status)
        return queryset.filter(Exists(table.filter(seen)))

    def versions(self) -> Any:
        return self.version_model.objects.all()
