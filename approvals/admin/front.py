"""The front page, and the way from there to everything else.

Apps add their own parts to both when their admins load: ``add_panel`` for the front
page, ``add_links`` for the sidebar.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from .. import kinds, ui
from ..models import ChangeSet, Decision, Notice, Version
from .change_sets import set_title

Panel = Callable[[HttpRequest], dict[str, Any] | None]

_panels: list[Panel] = []
_links: dict[str, list[dict[str, Any]]] = {
    "Work": [],
    "Customers": [],
    "Record": [],
    "Set-up": [],
}

SHOWN = 10


def add_panel(panel: Panel) -> None:
    _panels.append(panel)


def add_links(section: str, *links: tuple[str, str, str, str]) -> None:
    """Add (title, icon, name of the address, permission) to a section."""
    for title, icon, name, permission in links:
        _links[section].append(
            {"title": title, "icon": icon, "name": name, "permission": permission}
        )


# What waits for a person


def to_decide(user: Any) -> Any:
    """Change sets that ``user`` may decide on now."""
    if not user.has_perm("approvals.review_changes"):
        return ChangeSet.objects.none()
    waiting = ChangeSet.objects.decidable_by(user)
    return ui.scope(waiting, user, "program_id")


def own_open(user: Any) -> dict[str, list[Any]]:
    """The person's own versions that wait for somebody, by what they wait for."""
    found: dict[str, list[Any]] = {
        "rejected": [],
        "failed": [],
        "pending": [],
        "draft": [],
    }
    if not user.has_perm("approvals.make_changes"):
        return found
    words: dict[str, str] = {
        Version.Status.REJECTED: "rejected",
        Version.Status.PUBLISH_FAILED: "failed",
        Version.Status.PENDING_APPROVAL: "pending",
        Version.Status.DRAFT: "draft",
    }
    visible = kinds.programs().visible_to(user)
    for kind in kinds.all_kinds():
        versions = (
            kind.version._default_manager.filter(
                status__in=list(words), direct=False, updated_by=user
            )
            .select_related(kind.version.THING, "rejected_by", "change_set")
            .order_by("-updated_at")[:SHOWN]
        )
        for version in versions:
            if visible is None or kind.program_id(version) in visible:
                found[words[version.status]].append(version)
    return found


def waiting_count(request: HttpRequest) -> int:
    """How many change sets wait for this person; asked once a request."""
    if not hasattr(request, "waiting_for_me"):
        request.waiting_for_me = to_decide(request.user).count()  # type: ignore[attr-defined]
    return int(request.waiting_for_me)  # type: ignore[attr-defined]


# The search behind Ctrl+K


def first_page_only(search: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the theme's search, which answers any page that is not there with a 500."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        query = request.GET.copy()
        query.pop("page", None)
        request.GET = query  # type: ignore[assignment]
        return search(request, *args, **kwargs)

    return view


# The sidebar


def sidebar(request: HttpRequest) -> dict[str, Any]:
    """What the theme asks for several times a request; worked out once."""
    if not hasattr(request, "sidebar"):
        request.sidebar = {  # type: ignore[attr-defined]
            "show_search": False,
            "show_all_applications": False,
            "command_search": False,
            "navigation": _navigation(request),
        }
    return dict(request.sidebar)  # type: ignore[attr-defined]


def _navigation(request: HttpRequest) -> list[dict[str, Any]]:
    user: Any = request.user
    navigation: list[dict[str, Any]] = []
    if not user.is_active or not user.is_staff:
        # The page to sign in asks as well.
        return navigation
    for section, links in _links.items():
        items = [_item(request, link) for link in links if _offered(link, user)]
        if items:
            separator = bool(navigation)
            navigation.append(
                {"title": section, "items": items, "separator": separator}
            )
    return navigation


def _offered(link: dict[str, Any], user: Any) -> bool:
    permission = link["permission"]
    if permission == "superuser":
        return bool(user.is_superuser)
    return not permission or bool(user.has_perm(permission))


def _item(request: HttpRequest, link: dict[str, Any]) -> dict[str, Any]:
    url = reverse(link["name"])
    item = {
        "title": link["title"],
        "icon": link["icon"],
        "link": url,
        "active": lambda request: (
            request.path == url
            or (url != reverse("admin:index") and request.path.startswith(url))
        ),
    }
    if link["name"] == "admin:index" and (count := waiting_count(request)):
        item["badge"] = str(count)
        item["badge_variant"] = "primary"
    if link["name"] == "admin:approvals_notice_changelist":
        unread = Notice.objects.unread_by(request.user).count()
        if unread:
            item["badge"] = str(unread)
            item["badge_variant"] = "info"
    return item


# The front page


def front_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    user: Any = request.user
    sets = (
        to_decide(user)
        .select_related("created_by")
        .prefetch_related("items")
        .order_by("created_at")[:SHOWN]
    )
    names = kinds.programs().names()
    mine = own_open(user)
    decisions = ui.scope(
        Decision.objects.select_related("change_set", "decided_by").prefetch_related(
            "change_set__items"
        ),
        user,
        "change_set__program_id",
    )
    context.update(
        {
            "title": "Inbox",
            "may_review": user.has_perm("approvals.review_changes"),
            "may_make": user.has_perm("approvals.make_changes"),
            "to_decide": [
                {
                    "title": set_title(change_set),
                    "url": ui.change_url(change_set),
                    "program": names.get(change_set.program_id, ""),
                    "by": change_set.created_by,
                    "at": ui.when(change_set.created_at),
                    "note": change_set.note,
                }
                for change_set in sets
            ],
            "waiting_in_all": waiting_count(request),
            "all_waiting_url": ui.list_url(ChangeSet, "state=mine"),
            "mine": [
                {
                    "name": version.name,
                    "kind": kinds.kind_of(version).word,
                    "url": ui.change_url(version),
                    "badge": ui.status_badge(
                        version.status, version.get_status_display()
                    ),
                    "reason": version.rejection_comment
                    or (
                        version.change_set.failure
                        if word == "failed" and version.change_set
                        else ""
                    ),
                    "at": ui.when(version.updated_at),
                }
                for word in ("rejected", "failed", "draft", "pending")
                for version in mine[word]
            ],
            "panels": [p for panel in _panels if (p := panel(request))],
            "decisions": [
                {
                    "title": ", ".join(
                        item.label for item in decision.change_set.items.all()
                    ),
                    "url": ui.change_url(decision.change_set),
                    "badge": ui.badge(
                        decision.get_kind_display(),
                        {"APPROVED": "good", "REJECTED": "bad"}.get(decision.kind, ""),
                    ),
                    "by": decision.decided_by,
                    "at": ui.when(decision.decided_at),
                    "comment": decision.comment,
                }
                for decision in decisions[:5]
            ]
            if user.has_perm("approvals.view_decision")
            else [],
            "now": ui.when(timezone.now()),
        }
    )
    return context


add_links(
    "Work",
    ("Inbox", "inbox", "admin:index", ""),
    (
        "Changes",
        "rule",
        "admin:approvals_changeset_changelist",
        "approvals.view_changeset",
    ),
    ("Notices", "notifications", "admin:approvals_notice_changelist", ""),
)
add_links(
    "Record",
    (
        "Decisions",
        "gavel",
        "admin:approvals_decision_changelist",
        "approvals.view_decision",
    ),
    (
        "Submitted wordings",
        "description",
        "admin:approvals_changesetitem_changelist",
        "approvals.view_changesetitem",
    ),
    (
        "Who worked on what",
        "group_work",
        "admin:approvals_contribution_changelist",
        "approvals.view_contribution",
    ),
    (
        "Audit trail",
        "history",
        "admin:approvals_auditevent_changelist",
        "approvals.view_auditevent",
    ),
)
add_links(
    "Set-up",
    ("People", "person", "admin:auth_user_changelist", "auth.view_user"),
    ("Roles", "badge", "admin:auth_group_changelist", "auth.view_group"),
    (
        "Schedules",
        "schedule",
        "admin:django_celery_beat_periodictask_changelist",
        "superuser",
    ),
    ("Refused sign-ins", "lock", "admin:axes_accessattempt_changelist", "superuser"),
)
