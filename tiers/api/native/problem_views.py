"""The table of problems, for whoever follows the ``type`` of one."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from .problems import FIELD_PROBLEMS, PROBLEMS, Problem
from .protocol import NativeView


class ProblemKindSerializer(serializers.Serializer):
    """What a code stands for."""

    type = serializers.CharField()
    code = serializers.CharField()
    status = serializers.IntegerField()
    title = serializers.CharField()


class FieldProblemSerializer(serializers.Serializer):
    """What the code of one field or parameter stands for."""

    code = serializers.CharField()
    title = serializers.CharField()


@extend_schema_serializer(many=False)
class ProblemTableSerializer(serializers.Serializer):
    """All codes that there are."""

    problems = ProblemKindSerializer(many=True)
    field_problems = FieldProblemSerializer(many=True)


class Problems(NativeView):
    """What each code of a refusal stands for; for everybody."""

    tag = "Problems"
    authentication_classes = ()
    permission_classes = ()
    pagination_class = None
    filter_backends = ()
    lookup_field = "code"
    lookup_value_converter = "slug"

    @extend_schema(responses=ProblemTableSerializer)
    def list(self, request: Request) -> Response:
        """List all codes."""
        return Response(
            {
                "problems": [shown(problem) for problem in PROBLEMS.values()],
                "field_problems": [
                    {"code": code, "title": title}
                    for code, title in FIELD_PROBLEMS.items()
                ],
            }
        )

    @extend_schema(responses=ProblemKindSerializer)
    def retrieve(self, request: Request, code: str) -> Response:
        """Explain one code."""
        if code not in PROBLEMS:
            raise NotFound
        return Response(shown(PROBLEMS[code]))


def shown(problem: Problem) -> dict[str, Any]:
    return {
        "type": problem.type,
        "code": problem.code,
        "status": problem.status,
        "title": problem.title,
    }
