"""The roles that a new installation has: who drafts, who reviews, who reads.

A role is a Django group. It is filled when it is first made; what an
administrator changes in it later stays.
"""

from typing import Any

from django.apps import apps

MANAGERS = "Loyalty managers"
REVIEWERS = "Reviewers"
AUDITORS = "Auditors"
#: Erasing cannot be undone, so whoever edits members does not get it along with that.
DATA_PROTECTION = "Data protection"

OURS = ("approvals", "loyalty", "tiers")
PERMISSIONS = {
    MANAGERS: (
        "make_changes",
        "operate_programs",
        "post_points",
        "edit_members",
        "move_members",
    ),
    REVIEWERS: ("review_changes",),
    AUDITORS: (),
    DATA_PROTECTION: ("erase_contacts",),
}

#: What a maker and a reviewer need; whoever holds both is worth a look.
MAKE, REVIEW = "approvals.make_changes", "approvals.review_changes"


def both() -> Any:
    """Return the people who may make changes and review them, superusers aside."""
    from django.contrib.auth.models import User

    def holders(permission: str) -> Any:
        return User.objects.with_perm(
            permission,
            include_superusers=False,
            backend="django.contrib.auth.backends.ModelBackend",
        )

    return holders(MAKE).filter(pk__in=holders(REVIEW).values("pk"))


def make_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Make the roles once the permissions of our last app exist."""
    if sender.name != OURS[-1]:
        return
    make(using)


def make(using: str = "default") -> None:
    """Make the roles that are missing."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    for label in OURS:
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    ours = Permission.objects.using(using).filter(content_type__app_label__in=OURS)
    reading = list(ours.filter(codename__startswith="view_"))
    for name, codenames in PERMISSIONS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            own = ours.filter(codename__in=codenames)
            group.permissions.set([*reading, *own])
