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
    repeatable = frozenset({"create"})
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
        return Response({"results": self._post(program, said)})

    def _post(self, program: Any, batch: Any) -> list[Any]:
        sent = batch["activities"]
        balances = Balances.of(program.pk)
        rows = [RowBody(data=row) for row in sent]
        problems: dict[int, Any] = {}
        good = []
        for place, row in enumerate(rows):
            if row.is_valid():
                good.append(place)
            else:
                problems[place] = running.row_problem(row.errors)
        said = [rows[place].validated_data for place in good]
        named = posted.members_named(self.members(), program.pk, said)
        activities: dict[int, points.Activity] = {}
        for place, row, member in zip(good, said, named, strict=True):
            try:
                if member is None:
                    raise posted.no_member(row)
                activities[place] = posted.activity_of(
                    row, member, row["reference"], balances
                )
            except ValidationError as error:
                problems[place] = running.row_problem(error.detail)
        found = self._outcomes(program, activities, batch["source"], balances)
        return [
            found[place]
            if place in found
            else {
                "outcome": "REFUSED",
                "reference": _reference(sent[place]),
                "posted": None,
                "problem": problems[place],
            }
            for place in range(len(sent))
        ]

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
        return {
            place: {
                "outcome": "POSTED" if outcome.posting else "REFUSED",
                "reference": outcome.activity.reference,
                "posted": next(shown) if outcome.posting else None,
                "problem": outcome.refusal
                and {
                    "code": outcome.refusal.code,
                    "detail": outcome.refusal.message,
                },
            }
            for place, outcome in zip(activities, outcomes, strict=True)
        }


def _reference(sent: Any) -> str | None:
    reference = sent.get("reference") if isinstance(sent, dict) else None
    return reference if isinstance(reference, str) else None
