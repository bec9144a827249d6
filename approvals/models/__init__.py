"""Who asked for a change, who decided on it, and on exactly what.

A thing that needs approval (a program, a balance definition, a tier group, a
tier) has a lasting identity and any number of versions, which say what it is
called and how it behaves. Versions that belong together are submitted as one
**change set**; one **decision** settles it. What was submitted is kept for ever
as the change set's items; who had a hand in it as its contributions.
"""

from .audit import AuditEvent, Notice
from .change_set import ChangeSet, ChangeSetItem, Contribution, Decision
from .version import Version, new_object_id, version_constraints

__all__ = [
    "AuditEvent",
    "ChangeSet",
    "ChangeSetItem",
    "Contribution",
    "Decision",
    "Notice",
    "Version",
    "new_object_id",
    "version_constraints",
]
