"""Capillary's v3 Tiers API: ``/v3/tiers``.

The vendor's own clients work with nothing but the host changed. Where the published
documentation says nothing, or cannot be followed, this is what we do:

* **Who asks.** HTTP Basic with the name and password of a user of the admin. The
  vendor's clients send the MD5 of the password in its place. We refuse that: a
  server can only compare it if it keeps an unsalted MD5 of every password, or
  something as easily broken. Put the password itself into the client. Or a token of
  ``POST /v3/oauth/token/generate``, whose ``key`` and ``secret`` are the two halves of
  an API key, in the header ``X-CAP-API-OAUTH-TOKEN``; it is good for an hour. Or the
  key itself: ``Authorization: Api-Key <key>``.
* The headers ``X-CAP-API-ATTRIBUTION-ENTITY-TYPE`` and ``-CODE`` are taken and
  ignored, and so is every query parameter that is not described.
* **Drafts** exist for people, and for keys that make them (scopes ``drafts`` and
  ``publish``). A key that only reads is shown what is live, and nothing more.
* **Which tiers.** Those of a program's main group. A program that does not exist, and
  one that the caller may not see, are alike: an empty list.
* **Two versions.** An edited tier is listed twice, its live version first; both show
  the ``slabId``. A change that is approved and waits for its go-live time reads as
  ``PENDING_APPROVAL`` with ``meta.approvedBy``; a draft that retires a tier shows only
  as ``origin`` BOTH of the live entry.
* **origin** is ``MONGO_ONLY`` before the first publication, ``BOTH`` while a published
  tier has an open version, else ``LEGACY_SQL_ONLY``, as the vendor's example has it.
* **Record ids** (``tierUniqueId``, ``objectId``) and the people in ``meta`` are hidden
  on live versions of imported tiers only.
* **kpiType** is derived from what the thresholds are compared with: the tier's own
  measure, or else its group's.
* **Refusals** carry the vendor's numbers where they are known (9056, 9057, 4000,
  999999), else the HTTP status. ``programId`` left out is HTTP 500 there and so here.

**Supported.** List, get, create, update, delete, submit, approve and reject, the queue
of what waits, and access tokens.

* **Ids.** Get takes a ``slabId`` or a ``tierUniqueId``; update an ``objectId`` or a
  ``slabId`` (of an imported tier with ``programId``); all others an ``objectId``. Any
  other id is 404 with 9056, as is what the caller may not see.
* **Create** puts a tier on top of the main group, which has to be live: its strategies
  are the vendor's. One new tier is in progress at a time (DRAFT, PENDING_APPROVAL, or
  approved for later); edits of live tiers do not count. 50 tiers at most. The first
  tier may be the base: without a threshold, or with 0.
* **Idempotency-Key** holds for 24 hours, for the organisation and the person. The same
  body (in any order of keys) gets the first answer again; another one is 409. A
  refusal is not kept.
* **Update** lays what was sent over what is there, key by key; lists are replaced.
  ``null`` is "not sent", so a record can be sent back as it came. A live tier gets a
  draft of its next version; its open version, where there is one, is edited in place.
  An edit of a pending record takes it back to DRAFT and voids the submission. An
  update that changes nothing of a live or pending record does nothing.
* **Decisions** are for people: an API key gets 403. So does whoever had a hand in the
  change, when they approve. A rejected record is REJECTED until it is edited; without
  a comment, "No reason given." stands there. What somebody decided already is 409 and
  says who. So is a record that waits in a change set with others: those are decided on
  together, in the admin.
* **A publication that fails** refuses the approval, with 400 or 409, and the record
  stays pending: there is no engine of others behind ours that could fail half way. A
  record is PUBLISH_FAILED when its time to go live came and it could not; approve then
  tries again, on what is live by now.
* **expressionRelation** of ``eligibility`` is AND or OR, and kinds of condition are
  PURCHASE, VISITS, POINTS and TRACKER: the vendor documents none, so these are guesses.
  ``trackerId`` is the id of a balance definition, ``trackerCondition`` its months.

**Ignored**: fields that are not described, and those that are ours to set (``status``,
``serialNumber``, ``endDate``, which follows from start and duration); a body of submit.

**Refused**: ``downgrade``, unless it is null; a ``kpiType`` other than that of the live
tiers; a threshold that is not above the tier below and below the tier above, and a name
that a live tier has in any letter case, even where a program allows them in the admin.
JSON with a key twice, too deep, or with text that cannot be stored. ``approvalStatus``
in other letters. Edits of what is replaced, scheduled or about to be retired.

**Not offered**: retiring tiers and changing channels, for which the vendor documents no
call; bulk calls; ``updateTierAdvancedSettings``, whose fields are not documented.
"""
