"""The vendor's contacts, as far as members of programs need them."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import members
from loyalty.errors import ContactConflict
from loyalty.members import Person

from . import member_messages as messages
from . import member_schema as answers
from .people import ENROL
from .protocol import BadRequest, BrevoView, answer
from .schema import described


def as_bad_request(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Word a refusal; of those that a body can meet, this call declares 400 only."""
    if isinstance(exception, ContactConflict):
        exception = BadRequest(exception.message, code="duplicate_parameter")
    response = answer(exception, context)
    if response is not None and response.status_code in (409, 422):
        response.status_code = 400
    return response


class Contacts(BrevoView):
    permission = {"POST": ENROL}

    def get_exception_handler(self) -> Any:
        return as_bad_request

    @described("createContact", answers.Contact, messages.CreateContact, fails=[400])
    def post(self, request: Request) -> Response:
        said = self.read(messages.CreateContact)
        contact, is_new = members.register(
            Person(
                name=said["name"],
                email=said.get("email", ""),
                mobile=said["mobile"],
                external_id=said.get("ext_id", ""),
            ),
            by=request.user,
            attributes=said["attributes"],
            update=said["updateEnabled"],
        )
        if is_new or said["getId"]:
            return Response({"id": contact.pk})
        return Response(status=204)
