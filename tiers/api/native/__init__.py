"""Our own API: ``/api/v1/``, everything that the product can do.

* **Who asks.** An API key (``Authorization: Api-Key <key>``), or a person by name and
  password (HTTP Basic) or by their session of the admin, with its CSRF token. Keys do
  what their scopes cover and their owner may; they never decide.
* **What exists.** What the caller may see. Everything else is 404, in the very words in
  which it would be if it did not exist.
* **Reading.** Lists come in pages that hold still: follow ``next`` until it is null.
  Every list says what it can be filtered, searched and ordered by; anything else is
  refused. Every answer has an ETag, and a read with ``If-None-Match`` is 304 while
  nothing has changed.
* **Writing.** Bodies are JSON, read strictly: unknown fields, fields that are not the
  caller's to set, keys given twice, numbers as text and text that hides something are
  refused. A write that could overwrite somebody's change needs ``If-Match``: 428
  without, 412 when it is too late. ``Idempotency-Key`` on a POST: it is carried out
  once, however often it is sent, for 24 hours; another body under the key is 422.
* **Posting.** A posting is known for ever by its ``reference``, or without one by its
  ``Idempotency-Key``: sent again it has no second effect and the same outcome, refusals
  too. Systems post, with keys; people adjust points in the admin, where a second one
  agrees to large amounts. What is answered shows the tiers held now.
* **Many at once.** Up to 500 people or activities go in one request, and each has an
  outcome of its own.
* **Keeping up.** ``tier-changes`` is read from a position on. Each change comes once
  and none is missed, whichever of two is committed first.
* **Refusals** are problem documents (RFC 9457): a stable ``code``, a sentence in
  ``detail``, and one entry of ``errors`` for each field that is wrong. The id of the
  request is their ``instance`` and in ``X-Request-Id``.
* **Amounts** are strings, ids and points integers, instants RFC 3339 in UTC.
"""
