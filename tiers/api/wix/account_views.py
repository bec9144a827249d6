"""The vendor's endpoints for loyalty accounts."""

from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.errors import StaleEdit
from loyalty import evaluators, members, points
from loyalty.errors import AlreadyMember, InvalidPosting, ReferenceReused
from loyalty.members import Person
from loyalty.models import Member

from . import accounts, messages, schema
from .protocol import Exists, UnknownEntity, Unsupported, WixView, read
from .queries import matching_rows, page, read_query
from .schema import described, in_path
from .views import outdated, path_guid

VIEW, ENROL, POST_POINTS = (
    "loyalty.view_member",
    "loyalty.edit_members",
    "loyalty.post_points",
)
SOURCE = "wix"
#: As they were made, which is the order of their keys: no page sorts everybody.
AS_MADE: tuple[tuple[str, bool], ...] = ()
MOST_CONTACTS = 50


class AccountView(WixView):
    def shown(self, **lookup: Any) -> dict[str, Any]:
        found = accounts.one(self.site, **lookup)
        if found is None:
            raise UnknownEntity("There is no such loyalty account.")
        return found

    def account(self, account_id: str) -> Member:
        wanted = path_guid(account_id, "accountId")
        member = Member.objects.filter(program=self.site.program, uuid=wanted).first()
        if member is None:
            raise UnknownEntity("There is no such loyalty account.")
        return member

    @property
    def owner(self) -> str:
        """Whose rows a cursor of this list is good for."""
        return f"{type(self).__name__} {self.site.program.pk}"

    def page(self, sent: Any, path: str, words: Any = None) -> tuple[Any, Any]:
        fields = accounts.fields(self.site)
        try:
            query = read_query(sent, fields, default=AS_MADE, owner=self.owner)
            if "search" in query.carried:
                words = read_words(query.carried["search"], "search")
        except ValidationError as error:
            raise ValidationError({path: error.detail}) from None
        rows = accounts.accounts(self.site).filter(accounts.matching(words))
        found, metadata = page(rows, query, fields, owner=self.owner)
        return accounts.documents(self.site, found), metadata


def read_words(sent: Any, path: str) -> dict[str, Any]:
    serializer = messages.SearchWords(data=sent or {})
    if not serializer.is_valid():
        raise ValidationError({path: serializer.errors})
    return dict(serializer.validated_data)


# One account


class Accounts(AccountView):
    """Make an account; or list them, which the vendor would rather have queried."""

    permission = {"GET": VIEW, "HEAD": VIEW, "POST": ENROL}

    @described("listAccounts", schema.AccountsAnswer, parameters=schema.PAGING)
    def get(self, request: Request) -> Response:
        sent = request.query_params
        contacts = sent.getlist("contactIds")
        if len(contacts) > MOST_CONTACTS:
            sentence = f"Send at most {MOST_CONTACTS} ids."
            raise ValidationError({"contactIds": sentence})
        paging = {
            name: sent[f"cursorPaging.{name}"]
            for name in ("limit", "cursor")
            if f"cursorPaging.{name}" in sent
        }
        said = read(messages.PagingQuery, paging)
        if "limit" in said:
            said["limit"] = int(said["limit"])
        query: dict[str, Any] = {"cursorPaging": said}
        if contacts:
            query["filter"] = {"contactId": {"$in": contacts}}
        found, metadata = self.page(query, "query")
        return Response({"accounts": found, "pagingMetadata": metadata})

    @described("createAccount", schema.AccountAnswer, messages.CreateAccountRequest)
    def post(self, request: Request) -> Response:
        contact = self.read(messages.CreateAccountRequest)["contactId"]
        try:
            members.enrol(
                self.site.program, Person(contact_uuid=contact), by=request.user
            )
        except AlreadyMember as known:
            self._take_back(Member.objects.get(pk=known.details["member_id"]))
        return Response({"account": self.shown(contact__uuid=contact)})

    def _take_back(self, member: Member) -> None:
        """Let somebody who has left come back; whoever is there has an account."""
        try:
            members.rejoin(member, by=self.request.user)
        except AlreadyMember:
            raise Exists("The contact has a loyalty account already.") from None


class OneAccount(AccountView):
    permission = VIEW

    @described("getAccount", schema.AccountAnswer, parameters=[in_path("account_id")])
    def get(self, request: Request, account_id: str) -> Response:
        return Response({"account": self.shown(uuid=path_guid(account_id, "id"))})


class AccountBySecondaryId(AccountView):
    permission = VIEW

    @described(
        "getAccountBySecondaryId",
        schema.AccountAnswer,
        parameters=schema.CONTACT_OR_MEMBER,
    )
    def get(self, request: Request) -> Response:
        sent = read(messages.SecondaryIdQuery, request.query_params.dict())
        if "contactId" in sent:
            return Response({"account": self.shown(contact__uuid=sent["contactId"])})
        return Response(
            {"account": self.shown(contact__site_member_id=sent["memberId"])}
        )


# Points


class EarnPoints(AccountView):
    permission = POST_POINTS

    @described(
        "earnPoints",
        schema.PostedAnswer,
        messages.EarnPointsRequest,
        [in_path("account_id")],
    )
    def post(self, request: Request, account_id: str) -> Response:
        said = self.read(messages.EarnPointsRequest)
        member = self.account(account_id)
        try:
            posting = points.earn(
                member,
                self.site.points,
                said["amount"],
                reference=said["idempotencyKey"],
                source=SOURCE,
                by=request.user,
                description=said["description"],
                meta=said["meta"],
            )
        except ReferenceReused as reused:
            # A retry, whatever it says: the first transaction is the answer.
            if reused.first.member_id != member.pk:
                raise Exists(
                    "This idempotencyKey was used for another account. Use a new one."
                ) from None
            posting = points.outcome(reused.first, replayed=True)
        return Response(self._answer(member, posting))

    def _answer(self, member: Member, posting: points.Posting) -> dict[str, Any]:
        return {
            "account": self.shown(pk=member.pk),
            "transactionId": transaction_id(posting),
        }


class AdjustPoints(EarnPoints):
    @described(
        "adjustPoints",
        schema.PostedAnswer,
        messages.AdjustPointsRequest,
        [in_path("account_id")],
    )
    def post(self, request: Request, account_id: str) -> Response:
        said = self.read(messages.AdjustPointsRequest)
        member = self.account(account_id)
        try:
            posting = adjust(
                member, self.site.points, said, by=request.user, at=said["revision"]
            )
        except StaleEdit as stale:
            raise outdated(stale, member.uuid) from None
        except InvalidPosting as invalid:
            raise ValidationError({"amount": invalid.message}) from None
        return Response(self._answer(member, posting))


@transaction.atomic
def adjust(
    member: Member, definition: Any, said: dict[str, Any], *, by: Any, at: int
) -> points.Posting:
    """Correct a balance, if nothing was posted since revision ``at`` was read.

    The member's lock, which posting takes too, keeps it so. A refusal is forgotten
    along with the rest: without a key of the caller's nobody can ask for it again.
    """
    evaluators.prepare(member.program_id)
    held = Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    if held.chain_length + 1 != at:
        raise StaleEdit(f"It is at revision {held.chain_length + 1} by now.")
    to_balance = said.get("balance") is not None
    verb = points.adjust_to if to_balance else points.adjust
    return verb(
        held,
        definition,
        said["balance"] if to_balance else said["amount"],
        reference=f"adjust-{uuid4()}",
        source=SOURCE,
        by=by,
        description=said.get("description") or "",
    )


def transaction_id(posting: points.Posting) -> UUID | None:
    """Return the id of the line that was posted; a balance may be right as it is."""
    return posting.lines[0].uuid if posting.lines else None


# Many accounts


class QueryAccounts(AccountView):
    permission = VIEW

    @described("queryLoyaltyAccounts", schema.QueryAnswer, schema.QueryRequest)
    def post(self, request: Request) -> Response:
        found, metadata = self.page(self.body.get("query") or {}, "query")
        return Response({"loyaltyAccounts": found, "pagingMetadata": metadata})


class SearchAccounts(AccountView):
    permission = VIEW

    @described("searchAccounts", schema.SearchAnswer, schema.SearchRequest)
    def post(self, request: Request) -> Response:
        search = self.body.get("search") or {}
        if isinstance(search, dict) and search.get("aggregations"):
            raise Unsupported("Accounts are not aggregated here; count them instead.")
        found, metadata = self.page(search, "search")
        return Response(
            {
                "accounts": found,
                "pagingMetadata": metadata,
                "aggregationData": {"results": []},
            }
        )


class CountAccounts(AccountView):
    permission = VIEW

    @described("countAccounts", schema.CountAnswer, schema.CountRequest)
    def post(self, request: Request) -> Response:
        fields = accounts.fields(self.site)
        query = read_query(
            {"filter": self.body.get("filter")},
            fields,
            default=AS_MADE,
            owner=self.owner,
        )
        words = read_words(self.body.get("search"), "search")
        rows = accounts.accounts(self.site).filter(accounts.matching(words))
        return Response({"count": matching_rows(rows, query, fields).count()})


class ProgramTotals(AccountView):
    permission = VIEW

    @described("getProgramTotals", schema.TotalsAnswer)
    def get(self, request: Request) -> Response:
        return Response(accounts.totals(self.site))
