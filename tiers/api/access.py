"""What somebody who asks may do and see; the same for every voice.

Three questions, and none has an answer of a voice's own: does the caller hold a
permission (of a key: does it come with its scopes, and does its owner hold it), which
programs exist for them, and do drafts. Verbs ask the same of their ``by``, so what a
door forgets is refused behind it.
"""

from functools import lru_cache
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from rest_framework import permissions
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request

from loyalty.models import KeyHolder, Program
from loyalty.models.keys import granted
from loyalty.statements import Statement


def programs_for(request: Request) -> Any:
    """Return the programs that exist for the caller; all others do not."""
    return Program.objects.visible_to(request.user)


def sees_drafts(user: User) -> bool:
    """Tell whether drafts exist for somebody: for people, and keys that make them.

    A key that only reads is a till's or a shop's, which has no business with what
    might be decided yet.
    """
    key = user.key if isinstance(user, KeyHolder) else None
    return key is None or granted(key.scopes, "approvals.make_changes")


def is_key(request: Request) -> bool:
    return isinstance(request.user, KeyHolder) and request.user.key is not None


def may(request: Request, permission: str) -> bool:
    """Tell whether the caller holds a permission, as "app.codename"; one query."""
    user_id = request.user.pk
    if user_id is None or not within_scopes(request, permission):
        return False
    return bool(holders_of(permission).run(user_id))


def within_scopes(request: Request, permission: str) -> bool:
    """Tell whether the caller's key covers a permission; a person has no key."""
    user = request.user
    if isinstance(user, KeyHolder) and user.key is not None:
        return granted(user.key.scopes, permission)
    return bool(user and user.is_authenticated)


@lru_cache
def holders_of(permission: str) -> Statement:
    """Return the statement that finds a user if they hold a permission.

    ``has_perm`` would read all permissions, the person's own and their groups'.
    """

    def build(user_id: int) -> QuerySet[User]:
        holders: QuerySet[User] = User.objects.with_perm(
            permission, backend="django.contrib.auth.backends.ModelBackend"
        )
        return holders.filter(pk=user_id)

    return Statement(["pk"], build)


class HasPermission(permissions.BasePermission):
    """Asks for the permission that the view names, for all or for each method."""

    message: str | None = None
    code: str | None = None

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        needed: Any = view.permission
        method = "GET" if request.method == "HEAD" else request.method
        if not isinstance(needed, str) and method not in needed:
            raise MethodNotAllowed(str(request.method))
        permission = needed if isinstance(needed, str) else needed[method]
        if not within_scopes(request, permission):
            self.message = "This API key's scopes do not cover that."
            self.code = "insufficient_scope"
            return False
        return may(request, permission)


class IsPerson(permissions.BasePermission):
    """Refuses keys: who decides is somebody who can be asked why."""

    message = "An API key cannot decide. A person has to, by name and password."
    code = "human_required"

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated) and not is_key(request)
