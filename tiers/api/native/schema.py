"""How the OpenAPI document describes this voice: from what the views say of themselves."""

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
)
from rest_framework import serializers

from .problems import PROBLEMS
from .refusals import MEDIA_TYPE

CODES: Final = [(code, code) for code in PROBLEMS]

# What every refusal is


def _kind(code: str) -> dict[str, Any]:
    problem = PROBLEMS[code]
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": code,
    }


class ProblemErrorSerializer(serializers.Serializer):
    """One thing that is wrong with what was sent."""

    pointer = serializers.CharField(
        required=False, help_text="Where in the body, as a JSON pointer."
    )
    parameter = serializers.CharField(
        required=False, help_text="Which parameter of the address."
    )
    code = serializers.CharField(help_text="Stable; see the table of codes.")
    detail = serializers.CharField(help_text="A sentence for people.")


class ProblemSerializer(serializers.Serializer):
    """Why a request was refused (RFC 9457)."""

    type = serializers.CharField(help_text="Where the problem is explained.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.ChoiceField(CODES)
    detail = serializers.CharField(help_text="A sentence for people.")
    instance = serializers.CharField(
        help_text="The id of the request, as in X-Request-Id."
    )
    errors: Any = ProblemErrorSerializer(many=True, required=False)
    details = serializers.DictField(
        required=False, help_text="What the sentence says, for programs."
    )


PROBLEM_EXAMPLES: Final = {
    400: OpenApiExample(
        "A field that nobody knows",
        {
            **_kind("invalid_request"),
            "detail": "/content/colour: There is no such field.",
            "instance": "urn:uuid:11111111-1111-4111-8111-111111111111",
            "errors": [
                {
                    "pointer": "/content/colour",
                    "code": "unknown_field",
                    "detail": "There is no such field.",
                }
            ],
        },
    ),
    409: OpenApiExample(
        "Too late",
        {
            **_kind("already_decided"),
            "detail": "chen approved this change on 1 March 2026 at 09:30.",
            "instance": "urn:uuid:11111111-1111-4111-8111-111111111111",
            "details": {"decided_by": "chen", "kind": "APPROVED"},
        },
    ),
}
SENTENCES: Final[dict[int, str]] = {
    400: "Something that was sent breaks a rule.",
    401: "Nobody was recognised.",
    403: "The caller may not do that.",
    404: "There is no such thing for the caller.",
    406: "Only application/json can be sent.",
    409: "What has happened meanwhile, or must happen first.",
    412: "The thing is not what If-Match names any more.",
    413: "The body is too large.",
    415: "The body is not application/json in UTF-8.",
    422: "The Idempotency-Key came with another body before.",
    428: "If-Match is missing.",
    429: "Too many requests.",
}

# Headers


def _request_header(name: str, description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        options.pop("type", OpenApiTypes.STR),
        OpenApiParameter.HEADER,
        description=description,
        **options,
    )


IDEMPOTENCY_KEY: Final = _request_header(
    "Idempotency-Key",
    "A text of your choice, new with each new request. The same request with the same "
    "key, within 24 hours, is carried out once and gets the first answer again.",
    type={"type": "string", "minLength": 1, "maxLength": 255},
)
IF_NONE_MATCH: Final = _request_header(
    "If-None-Match", "The ETag of what you have; 304 while it is still so."
)
IF_MATCH: Final = _request_header(
    "If-Match", "The ETag of what you read, or * for whatever it is.", required=True
)
IF_MATCH_OR_BODY: Final = _request_header(
    "If-Match", "The ETag of what you read, unless the body names its fingerprint."
)
ANSWERED: Final = (
    _request_header(
        "X-Request-Id",
        "The id under which the request is logged.",
        type=OpenApiTypes.UUID,
        response=True,
    ),
    _request_header("RateLimit", "How much is left.", response=True),
    _request_header("RateLimit-Policy", "How much there is.", response=True),
)
ETAG: Final = _request_header("ETag", "Names this very body.", response=[200, 201])
LOCATION: Final = _request_header("Location", "Where it is.", response=[201])


class NativeSchema(AutoSchema):
    """Adds what is the same everywhere: names, headers, refusals."""

    view: Any

    def get_tags(self) -> list[str]:
        return [self.view.tag]

    def get_operation_id(self) -> str:
        return f"{self.view.basename}_{self.view.action}".replace("-", "_")

    def get_request_serializer(self) -> Any:
        if self.view.action in self.view.bodies:
            return self.view.bodies[self.view.action]
        return None if self.method == "POST" else super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        view, action = self.view, self.view.action
        if action not in view.answers:
            return super().get_response_serializers()
        answer = view.answers[action]
        if answer is None:
            return {204: None}
        return {201 if action in view.creates else 200: answer}

    def get_examples(self) -> Any:
        return self.view.examples.get(self.view.action, [])

    def get_override_parameters(self) -> list[Any]:
        view, action = self.view, self.view.action
        sent: list[OpenApiParameter] = [*ANSWERED]
        if self.method != "DELETE":
            sent.append(ETAG)
        if self.method == "GET":
            sent.append(IF_NONE_MATCH)
        if action in view.repeatable:
            sent.append(IDEMPOTENCY_KEY)
        if action in view.conditional:
            sent.append(IF_MATCH)
        if action in view.may_be_conditional:
            sent.append(IF_MATCH_OR_BODY)
        sent += view.parameters.get(action, ())
        if "201" in self._successes():
            sent.append(LOCATION)
        return sent

    def _successes(self) -> set[str]:
        found: Any = self.get_response_serializers()
        if isinstance(found, dict):
            return {str(code) for code in found}
        return {"201"} if self._is_create_operation() else {"200"}

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "GET":
            responses["304"] = {"description": "It is as If-None-Match names it."}
        for status in self._refusals():
            responses[str(status)] = self._get_response_for_code(
                OpenApiResponse(
                    ProblemSerializer(many=False),
                    SENTENCES[status],
                    [PROBLEM_EXAMPLES[status]] if status in PROBLEM_EXAMPLES else [],
                ),
                str(status),
                [MEDIA_TYPE],
                direction,
            )
        return responses

    def _refusals(self) -> list[int]:
        view, action = self.view, self.view.action
        found = {400, 406, 429}
        if view.permission_classes:
            found |= {401, 403}
        if "{" in self.path:
            found.add(404)
        if self.method != "GET":
            found |= {409}
        if self.method in ("POST", "PUT", "PATCH"):
            found |= {413, 415}
        if action in view.repeatable:
            found.add(422)
        if action in view.conditional | view.may_be_conditional:
            found |= {412, 428}
        return sorted(found)


class SessionScheme(OpenApiAuthenticationExtension):
    """How the schema describes somebody logged in to the admin."""

    target_class = "tiers.api.native.protocol.Session"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Writes need the CSRF token in X-CSRFToken.",
        }
