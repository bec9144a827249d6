"""Who brought members up to date, up to when, how far that has come, who moved."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest

from approvals import ui
from approvals.admin import front
from approvals.admin.things import Table
from loyalty.admin.programs import program_filter
from loyalty.admin.search import FoundByMember
from loyalty.models import ProgramVersion

from ..models import Run, RunPiece, Tier
from .people import OfMember

TONES = {"Finished": "good", "Broke off": "bad", "Running": "info"}
#: So many pieces and moves are listed on a page; the counts are of all.
LISTED = 50


class RunStateFilter(ui.ChoiceFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("running", "Running"), ("finished", "Finished"), ("failed", "Failed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "running":
            return queryset.open()
        if self.value() == "finished":
            return queryset.filter(finished_at__isnull=False)
        if self.value() == "failed":
            return queryset.filter(failed_at__isnull=False)
        return queryset


class RunKindFilter(ui.ChoiceFilter):
    title = "why"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Run.Kind.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class RunAdmin(ui.ReadOnlyAdmin):
    program_path = "program"
    list_display = ("began", "why", "program_name", "state_badge", "looked_at", "gone")
    list_filter = (program_filter("program"), RunStateFilter, RunKindFilter)
    list_select_related = ("asked_by",)
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> Any:
        names = ProgramVersion.objects.filter(program=OuterRef("program")).live()
        return (
            super()
            .get_queryset(request)
            .select_related("asked_by")
            .with_progress()
            .annotate(named_program=Subquery(names.values("name")[:1]))
        )

    @ui.display(description="Began", ordering="created_at")
    def began(self, run: Any) -> Any:
        by = f"asked for by {run.asked_by}" if run.asked_by else ""
        return ui.two_lines(ui.when(run.created_at), by)

    @ui.display(description="Why", ordering="kind")
    def why(self, run: Any) -> str:
        return str(run.get_kind_display())

    @ui.display(description="Program", ordering="named_program")
    def program_name(self, run: Any) -> str:
        return str(run.named_program or "")

    @ui.display(description="State")
    def state_badge(self, run: Any) -> Any:
        word = state(run)
        return ui.badge(word, TONES[word])

    @ui.display(description="Members looked at")
    def looked_at(self, run: Any) -> str:
        return progress_in_words(run)

    @ui.display(description="Changed tier")
    def gone(self, run: Any) -> str:
        return f"{moved(run):,}"

    # The page of one

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method != "GET" or object_id is None:
            return super().changeform_view(
                request, object_id, form_url=form_url, extra_context=extra_context
            )
        run = self.get_object(request, object_id)
        if run is None or not self.has_view_permission(request, run):
            return super().changeform_view(request, object_id, form_url=form_url)
        pieces = list(run.pieces.all())
        parts = [
            ("admin/parts/progress.html", Progress.of(run)),
            ("admin/parts/table.html", moves_table(run, pieces)),
        ]
        if pieces:
            parts.append(("admin/parts/table.html", pieces_table(pieces)))
        return self.page(
            request,
            "admin/cards.html",
            title=f"{run.get_kind_display()}: {run.named_program}",
            about="About this run",
            badges=[self.state_badge(run)],
            facts=facts(run),
            parts=parts,
        )


# In words


@dataclass
class Progress:
    """How far a run has come, as a bar and in words."""

    words: str
    percent: int
    #: Whether to look again by and by.
    goes_on: bool

    @classmethod
    def of(cls, run: Any) -> "Progress":
        if run.finished_at:
            return cls(progress_in_words(run), 100, False)
        done = judged(run)
        percent = min(99, done * 100 // run.expected) if run.expected else 0
        return cls(progress_in_words(run), percent, run.is_open)


def state(run: Any) -> str:
    if run.failed_at:
        return "Broke off"
    return "Finished" if run.finished_at else "Running"


def judged(run: Any) -> int:
    """Members looked at so far: noted at the end, until then by the pieces."""
    return int(run.judged if run.is_open else run.members)


def moved(run: Any) -> int:
    return int(run.changed if run.is_open else run.moved)


def progress_in_words(run: Any) -> str:
    if run.finished_at:
        return f"{run.members:,}"
    if not run.expected:
        return "Not begun yet" if run.is_open else f"{judged(run):,}"
    return f"{judged(run):,} of {run.expected:,}"


def facts(run: Any) -> list[tuple[str, Any]]:
    found = [
        ("Program", run.named_program or ""),
        ("Why", run.get_kind_display()),
        ("Asked for by", str(run.asked_by or "")),
        ("Reason", run.reason),
        ("Began", ui.when(run.created_at)),
        ("Finished", ui.when(run.finished_at)),
        ("Broke off", ui.when(run.failed_at)),
        ("True as of", ui.when(run.as_of)),
        ("Changed tier", f"{moved(run):,}"),
    ]
    return [(label, value) for label, value in found if value]


def moves_table(run: Any, pieces: list[RunPiece]) -> Table:
    """From which tier to which, the most frequent move first."""
    sums: Counter[tuple[Any, Any]] = Counter()
    listed = [run.moves] if not run.is_open else [piece.moves for piece in pieces]
    for moves in listed:
        for before, after, members in moves:
            sums[before, after] += members
    common = sums.most_common(LISTED)
    tiers: Any = Tier.objects.with_wording().in_bulk(
        {tier for pair, _ in common for tier in pair if tier}
    )

    def named(tier_id: int | None) -> Any:
        tier = tiers.get(tier_id or 0)
        if tier is None:
            return "No tier"
        name = tier.live_name or tier.open_name or f"Tier {tier.pk}"
        return ui.beside(ui.swatch(tier.live_color or ""), name)

    return Table(
        "Who moved",
        ["From", "To", "Members"],
        [[named(a), named(b), f"{members:,}"] for (a, b), members in common],
        "Nobody has changed tier.",
        anchor="moves",
    )


def pieces_table(pieces: list[RunPiece]) -> Table:
    return Table(
        "Pieces",
        ["Members", "Looked at", "Changed tier", "State"],
        [
            [
                f"No. {piece.first_member:,} to {piece.last_member:,}",
                f"{piece.members:,}",
                f"{piece.moved:,}",
                piece_state(piece),
            ]
            for piece in pieces[:LISTED]
        ],
        anchor="pieces",
    )


def piece_state(piece: RunPiece) -> Any:
    if piece.failed_at:
        return ui.two_lines(ui.badge("Put aside", "bad"), piece.failure)
    if piece.finished_at:
        return ui.badge("Done", "good")
    return ui.two_lines(ui.badge("At work", "info"), piece.holder.split(" ")[0])


class RecalculationAdmin(ui.ReadOnlyAdmin):
    """When each program was last brought up to date."""

    program_path = "program"
    list_display = ("program", "as_of", "members", "moved", "due_at")
    fields = ("program", "as_of", "started_at", "finished_at", "members", "moved")
    list_select_related = ("program",)


class MemberSetAsideAdmin(FoundByMember, OfMember, ui.ReadOnlyAdmin):
    """Members who could not be judged: what happened, and when it is tried again."""

    program_path = "member__program"
    list_display = ("who", "happened", "tried", "next_try")
    list_display_links = ("happened",)
    list_filter = (program_filter("member__program"),)
    list_select_related = ("member__contact",)
    ordering = ("-since", "-pk")
    fields = ("who", "set_aside", "happened", "tried", "next_try")
    readonly_fields = fields
    why_read_only = (
        "These members keep the tier that they hold until they can be recalculated. "
        "“Recalculate now” on a member's page tries again at once."
    )

    @ui.display(description="Set aside", ordering="since")
    def set_aside(self, row: Any) -> str:
        return ui.when(row.since)

    @ui.display(description="What happened")
    def happened(self, row: Any) -> Any:
        return ui.two_lines(row.failure, f"for the first time {ui.when(row.since)}")

    @ui.display(description="Tried", ordering="tried_at")
    def tried(self, row: Any) -> Any:
        times = "once" if row.attempts == 1 else f"{row.attempts:,} times"
        return ui.two_lines(times, f"last {ui.when(row.tried_at)}")

    @ui.display(description="Next try", ordering="retry_at")
    def next_try(self, row: Any) -> Any:
        return ui.when(row.retry_at, "When a person asks for it")


front.add_links(
    "Work",
    ("Runs", "directions_run", "admin:tiers_run_changelist", "tiers.view_run"),
    (
        "Members set aside",
        "report",
        "admin:tiers_membersetaside_changelist",
        "tiers.view_membersetaside",
    ),
)
