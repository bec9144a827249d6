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
"""
