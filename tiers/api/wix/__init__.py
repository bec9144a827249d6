"""Wix's Loyalty Tiers, Accounts and Transactions, for its own SDK.

``/loyalty-tiers/v1``, ``/loyalty-accounts/v1`` and ``/loyalty-transactions/v1``, as at
the vendor's host and, the same, below ``/_api/``. An integration changes the host: the
``fetch`` option of ``createClient()`` does that.

**Who asks.** An API key as the bare ``Authorization`` header, or after ``Bearer``.
``wix-site-id`` names the site: it is the uuid of a program, and of its main tier group
in it. A site that there is not and one that the key may not see read alike. The first
to read or make the settings of an unknown site, with a key that may publish, makes its
program: approval off, UTC, names compared exactly, tiers DISABLED, 12 months.

**Supported**

* Tiers: list, create, create in bulk, get, update, delete, with their revision, which
  counts publications. Every write is live at once and passes an open draft of the same
  tier. At most 20, of 1 to 9,999,999 points.
* The program and its settings. An update replaces all of them and adds 1 to their
  revision; any status follows any other.
* Success is always 200 with a JSON document.

**Different**

* **Where a program's changes are approved**, tiers and settings cannot be written here:
  403, with a sentence that says where drafts are made.
* Only tiers that ask for points are listed. A tier of everybody's and one that people
  are put into by hand have no id here; who holds them reads as in the base tier.
* A fraction of a point, which other doors allow, is rounded up.
* Icons keep absolute addresses; the vendor's relative ones cannot be sent by its SDK.
* Deleting or moving a tier places its members in the same request, or in a large
  program by a run that begins with it.

**Ignored**: fields that are not described, ``x-wix-bi-gateway``, ``wix-account-id``, an
id in a body where the address has one.

**Refused, in a sentence** (``UNIMPLEMENTED``)

* Coupons, earning rules and rewards: this system keeps tiers and points, not what
  points are spent on.
"""
