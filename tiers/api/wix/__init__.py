"""Wix's Loyalty Tiers, Accounts and Transactions, for its own SDK.

``/loyalty-tiers/v1``, ``/loyalty-accounts/v1`` and ``/loyalty-transactions/v1``, as at
the vendor's host and, the same, below ``/_api/``. An integration changes the host and
nothing else: the ``fetch`` option of ``createClient()`` does that.

**Who asks.** An API key as the bare ``Authorization`` header, or after ``Bearer``.
``wix-site-id`` names the site: it is the uuid of a program, of which this voice shows
the main tier group. A site that there is not and one that the key may not see read
alike. Who first reads or makes the settings of an unknown site, with a key that may
publish, makes its program: approval off, UTC, names compared exactly, tiers DISABLED,
12 months. A key needs the scope ``read`` to read, ``points`` to make accounts and post
points, ``publish`` for the rest; searches and queries read.

**Supported**

* Tiers: list, create, create in bulk, get, update, delete. ``revision`` counts the
  publications of a tier; every write is live at once, and passes an open draft of it.
  At most 20, of 1 to 9,999,999 points.
* The program and its settings. An update replaces all of them and adds 1 to their
  revision; any status follows any other.
* Accounts: create, get, by contact or member, earn, adjust, query, search, count, list,
  totals. ``revision`` counts the lines of the account's ledger, plus 1.
* Transactions: get, query.
* Success is always 200 with a JSON document. Filters, orders and cursors (both ways, of
  at most 100) over the fields that the vendor names, but ``pointsExpiration``.

**Different**

* **Where a program's changes are approved**, tiers and settings cannot be written here:
  403, with a sentence that says where drafts are made.
* Only tiers that ask for points are listed. A tier of everybody's and one that people
  are put into by hand have no id here; who holds them reads as in the base tier.
* A fraction of a point, which other doors allow, is rounded up.
* Icons keep absolute addresses; the vendor's relative ones cannot be sent by its SDK.
* Deleting or moving a tier places its members in the same request, or in a large
  program by a run that begins with it.
* A contact that nobody has heard of is made: contacts are another service of the
  vendor's, whose ids we cannot look up. Who left comes back to the same account.
* An ``idempotencyKey`` sent again answers with the first transaction, whatever else is
  sent; for another account it is 409, since nothing could be right then.
* An adjustment has to name the account's revision. Where a balance is right already,
  nothing is posted and ``transactionId`` is null.
* What was taken back reads as ADJUST, and as REFUND where it had been redeemed.
* Counts and totals are of active members, true as of the request.

**Ignored**: fields that are not described, ``x-wix-bi-gateway``, ``wix-account-id``, an
id in a body where the address has one, ``fuzzy``.

**Left out of documents**: ``pointsExpiration`` (points expire by lots here, not all at
once), ``contact.picture``, ``tier.recalculationDate``, ``redeemInfo``'s reward;
``rewardAvailable`` is always false.

**Refused, in a sentence** (400, ``UNIMPLEMENTED``)

* Coupons, earning rules and rewards: this system keeps tiers and points, not what
  points are spent on.
* Adjusting all accounts that a search finds: nobody could look at it before.
* A member's own account by a member's token: we give none.
* Aggregations in a search.
"""
