"""What must be true of the whole database, whatever was done to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps

from approvals import fingerprint, kinds
from approvals.models import ChangeSet, Contribution, Decision, Version
from loyalty.models import ApiKey, ProgramVersion
from tiers.models import TierEvent


@contextmanager
def nothing_is_written() -> Iterator[None]:
    """Expect every row of ours to be as before: then all that is read is, too."""
    before = _rows()
    yield
    after = _rows()
    changed = [table for table in before if after[table] != before[table]]
    assert not changed, changed


def _rows() -> dict[str, list[Any]]:
    """Return all rows, but for what reading writes: when a key was last used, and
    positions in the feed."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for label in ("approvals", "loyalty", "tiers")
        for model in apps.get_app_config(label).get_models()
        if model not in (ApiKey, TierEvent)
    }


def unapproved() -> list[str]:
    """Return a sentence for each version that is or was live without a right to.

    Each must say what its change set's item says, under a decision on just these
    items: approved by a stranger to all of them, or waived while the program that
    was in force asked for no approval.
    """
    # It looks after every test: all at once, not version by version.
    change_sets = ChangeSet.objects.select_related("decision").prefetch_related("items")
    sets: dict[int | None, ChangeSet] = {each.pk: each for each in change_sets}
    hands = set(Contribution.objects.values_list("kind", "version_id", "user_id"))
    return [
        f"{kind.word} version {version.pk} ({version}): {problem}"
        for kind in kinds.all_kinds()
        for version in kind.version._default_manager.filter(live_from__isnull=False)
        for problem in _problems(
            kind, version, change_set=sets.get(version.change_set_id), hands=hands
        )
    ]


def crowded() -> list[str]:
    """Return a sentence for each thing with two live or two open versions."""
    found = []
    for kind in kinds.all_kinds():
        table = kind.version._default_manager
        for word, rows in (
            ("live", table.live()),
            ("open", table.open().filter(direct=False)),
        ):
            things = list(rows.values_list(f"{kind.version.THING}_id", flat=True))
            found += [
                f"{kind.word} {thing} has {things.count(thing)} {word} versions"
                for thing in sorted({t for t in things if things.count(t) > 1})
            ]
    return found


def _problems(
    kind: kinds.Kind,
    version: Any,
    *,
    change_set: ChangeSet | None,
    hands: set[tuple[str, int, int]],
) -> Iterator[str]:
    if change_set is None:
        yield "it is in no change set"
        return
    items = list(change_set.items.all())
    item = next(
        (i for i in items if (i.kind, i.version_id) == (kind.name, version.pk)), None
    )
    if item is None:
        yield "its change set has no item for it"
    elif not item.content_hash == version.content_hash == _hash(version):
        yield "it says something else than what was submitted"
    submitted = fingerprint.fingerprint(
        [(i.kind, i.version_id, i.content_hash, i.based_on_id) for i in items],
        go_live_at=change_set.go_live_at,
        roll_out=change_set.roll_out,
    )
    decision: Decision | None = getattr(change_set, "decision", None)
    if decision is None:
        yield "nobody decided on it"
    elif not decision.fingerprint == change_set.fingerprint == submitted:
        yield "the decision was on something else"
    elif decision.kind == Decision.Kind.APPROVED:
        if any((i.kind, i.version_id, decision.decided_by_id) in hands for i in items):
            yield f"{decision.decided_by} approved a change of their own"
    elif decision.kind == Decision.Kind.WAIVED:
        if _approval_was_required(change_set, version):
            yield "approval was waived while the program asked for it"
    else:
        yield f"the decision was {decision.kind}"


def _hash(version: Version) -> str:
    return fingerprint.content_hash(version)


def _approval_was_required(change_set: ChangeSet, version: Any) -> bool:
    in_force = (
        ProgramVersion.objects.filter(
            program=change_set.program_id, live_from__lte=version.live_from
        )
        .exclude(change_set=change_set)
        .order_by("-live_from", "-number")
        .first()
    )
    return in_force is not None and in_force.approval_required
