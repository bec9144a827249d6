"""Activities: a purchase or a visit with all that it earns, one by one or in batches."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import points

from .. import strict
from . import posted, running
from .entries import PostingView
from .posted import Balances, PostedSerializer
from .protocol import Body
from .running import POST_POINTS

# What is sent


class OneActivityBody(posted.ActivityBody):
    """What a purchase or a visit earns, all of it or nothing."""

    program = running.IdField()


class RowBody(posted.ActivityBody):
    """One of many; each has a reference of its own."""

    source = None
    reference = strict.LineField(max_length=256)


class BatchBody(Body):
    """Activities of members of one program."""

    program = running.IdField()
    source: Any = posted.SourceField(default=posted.SOURCE)
    activities: Any = serializers.ListField()

    def validate_activities(self, rows: Any) -> Any:
        return strict.many(rows, most=running.MOST)


class DescribedBatchBody(BatchBody):
    """Activities of members of one program."""

    activities = RowBody(many=True)


# What is answered


class ActivityOutcomeSerializer(serializers.Serializer):
    """What came of one activity."""

    outcome = serializers.ChoiceField([(w, w) for w in ("POSTED", "REFUSED")])
    reference = serializers.CharField(allow_null=True)
    posted = PostedSerializer(allow_null=True)
    problem = running.RowProblemSerializer(allow_null=True)


class ActivityOutcomesSerializer(serializers.Serializer):
    """What came of each, in the order in which they were sent."""

    results = ActivityOutcomeSerializer(many=True)


class Activities(PostingView):
    """Purchases and visits, with all that they earn."""

    tag = "Points"
    asks: ClassVar = {"create": POST_POINTS, "batch": POST_POINTS}
    repeatable = frozenset({"create", "batch"})
    creates = frozenset({"create"})
    bodies: ClassVar = {"create": OneActivityBody, "batch": DescribedBatchBody}
    answers: ClassVar = {
        "create": PostedSerializer,
        "batch": ActivityOutcomesSerializer,
    }
    filter_backends = ()
    examples: ClassVar = {
        "create": [
            OpenApiExample(
                "A purchase",
                {
                    "program": 973,
                    "external_id": "10815",
                    "reference": "order-4711",
                    "purchase": "49.90",
                    "points": "49",
                },
                request_only=True,
            )
        ]
    }

    def create(self, request: Request) -> Response:
        """Post an activity; the answer shows the tiers held now, and at which rates."""
        posted.expect_key(request)
        said = self.read()
        name = posted.name_of(request, said)
        program = self.program_named(said["program"])
        [member] = posted.members_named(self.members(), program.pk, [said])
        if member is None:
            raise posted.no_member(said)
        balances = Balances.of(program.pk)
        activity = posted.activity_of(said, member, name.reference, balances)
        data = self.answer(program.pk, name, activity, balances)
        return self.created(data, f"/api/v1/postings/{data['posting']}")

    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Post up to 500 activities, each with a reference and an outcome of its own.

        They are posted together and their members judged at once. Sent again, nothing
        is posted twice and the outcomes are the same.
        """
        posted.expect_key(request)
        said = self.read(BatchBody)
        program = self.program_named(said["program"])
        return Response(self.once(lambda: {"results": self._post(program, said)}))

    def _post(self, program: Any, batch: Any) -> list[Any]:
        sent = batch["activities"]
        balances = Balances.of(program.pk)
        said, problems = running.read_rows(RowBody, sent)
        named = posted.members_named(self.members(), program.pk, list(said.values()))
        activities: dict[int, points.Activity] = {}
        for (place, row), member in zip(said.items(), named, strict=True):
            try:
                if member is None:
                    raise posted.no_member(row)
                activities[place] = posted.activity_of(
                    row, member, row["reference"], balances
                )
            except ValidationError as error:
                problems[place] = running.row_problem(error.detail)
        found = self._outcomes(program, activities, batch["source"], balances)
        for place, problem in problems.items():
            reference = _reference(sent[place])
            found[place] = _outcome(reference, problem=problem)
        return [outcome for _, outcome in sorted(found.items())]

    def _outcomes(
        self,
        program: Any,
        activities: dict[int, points.Activity],
        source: str,
        balances: Balances,
    ) -> dict[int, Any]:
        outcomes = points.post_batch(
            program,
            list(activities.values()),
            source=source,
            by=self.request.user,
        )
        shown = iter(
            posted.documents(
                [(o.posting, o.activity.reference) for o in outcomes if o.posting],
                balances,
            )
        )
        found = {}
        for place, outcome in zip(activities, outcomes, strict=True):
            reference, refusal = outcome.activity.reference, outcome.refusal
            if refusal is None:
                found[place] = _outcome(reference, posting=next(shown))
            else:
                problem = {"code": refusal.code, "detail": refusal.message}
                found[place] = _outcome(reference, problem=problem)
        return found


def _outcome(
    reference: str | None, *, posting: Any = None, problem: Any = None
) -> dict[str, Any]:
    return {
        "outcome": "POSTED" if problem is None else "REFUSED",
        "reference": reference,
        "posted": posting,
        "problem": problem,
    }


def _reference(sent: Any) -> str | None:
    reference = sent.get("reference") if isinstance(sent, dict) else None
    return reference if isinstance(reference, str) else None
