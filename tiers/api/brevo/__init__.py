"""Brevo's Loyalty, for its own SDKs: ``/v3/loyalty/…`` and, lightly, ``/v3/contacts``.

An integration changes the host and nothing else: ``baseUrl`` of ``BrevoClient`` in
Node, ``base_url`` in Python.

**Who asks.** An API key as the ``api-key`` header, or after ``Authorization: Bearer``.
A program is known by its uuid. One that there is not and one that the key may not see
read alike. A key needs the scope ``read`` to read, ``drafts`` to draft, ``points`` to
enrol, post and assign, and ``publish`` to make, change and delete programs and to
publish. A key that may neither draft nor publish sees what is live only, whatever
``version`` it asks for.

**Supported**

* Programs: create, get, list, update whole or in part, delete, publish. A program that
  is made here asks for no reviewer; its zone is UTC, its tiers may share a name, and the
  first publication switches them on.
* Tier groups and tiers: all ten calls. What is written is drafted, what is deleted is
  retired with the next publication; ``version=draft`` shows what would be live then,
  ``version=active`` what is. A group says when members move up and down, with schedules;
  a tier asks for amounts of any number of balances, all of which have to be reached. One
  that asks for none is given by assignment only.
* Publishing: everything open of the program's balances, groups and tiers, in one change
  set, whole or not at all.
* Rewards, as far as tiers name them: create, list, get.
* Contacts (create only), subscriptions with their households, account info, balance
  definitions, transactions in two phases, balances by member, by definition and by lot,
  history, and the way to the next tier.
* Success is 200, or 204 without a body. An error is ``{message, code}``, with
  ``errors: [{path, rule, error}]`` where fields are wrong.

**Different**

* **Where a program's changes are approved**, publishing hands the draft in and answers
  422 ``approval_required`` with a ``link`` for the reviewer: the same one until somebody
  decides. What is new by then joins it. A draft that was sent back has to be changed
  first. Programs themselves are changed and deleted in the admin only.
* 400, 409 and 424 are sent only from calls for which the vendor's clients know them;
  elsewhere the same refusal is 422. Its Python client repeats what met a 409.
* ``tierOrder`` ranks. Tiers that it does not name follow behind by what they ask for;
  where amounts of several balances leave that open, a publication writes the order
  down that the draft showed.
* A publication is refused that lets a tier stand above another and ask for less of the
  same balance, or lets two ask for the same.
* Tiers made elsewhere show their threshold as a condition on the balance that is
  measured, and keep their own way of measuring it when only the number is changed.
* Tiers that somebody paused stay paused, whatever is published.
* A program that people take part in cannot be deleted (422); one that was deleted exists
  for nobody, and what happened in it is kept.
* A direct write of another system's to a tier that is open here makes the publication
  422 until the draft is edited: it would undo what nobody has seen.
* Names of programs are told apart among those that the key may see.
* Balances in POINTS, JPY and CLP are of whole amounts, others of hundredths, for good:
  an amount is rounded as its definition says, and a unit of other decimals is 422. The
  balances that every program has here are internal in one that is made here.
* A balance definition that is changed has the vendor's defaults for what is not sent.
* Contacts are of the whole organisation. A telephone alone names nobody: people share
  them. Who shares a subscription holds nothing of their own.
* Nobody can join before the first publication (422). Who left and joins again goes on
  where they were.
* ``amount`` of a debit is negative in answers, so that a history adds up. What was
  posted through other doors is in it, and what expired.
* A debit that a balance cannot bear is 422 when it begins and in the history as
  ``rejected``. One that could be begun and cannot be completed waits on.
* A debit happens when it is completed, whatever its ``eventTime`` says.
* A transaction that completes itself is posted once for each ``Idempotency-Key``, which
  the vendor does not know; without one, a request that is sent again is another.
* What one member has is true of the instant of the request; ``contact-balances`` are as
  of the last recalculation.
* ``x-sib-ratelimit-*`` say how many requests are left in this minute.

**Ignored**: fields and parameters that are not described, ``null`` (as if not sent, but
for schedules), tiers inside a group, ``documentId``, bodies of calls that need none.

**Left out of documents**: ``subscriptionPoolId``, ``subscriptionGeneratorId``,
``pattern``, ``codeCount``, ``birthdayAttribute`` of a program: they belong to the
vendor's own cards and calendar.

**Refused** (404, as any address that there is not, unless said otherwise)

* Vouchers, their codes and redemption: who hands rewards out is another system.
* Limits of balances over time, and orders of balances: nothing here decides by them.
* ``balanceExpiryInMinutes`` (422): credits expire as their definition says.
* Events and webhooks below ``/v3``: what happened here is read from our own feed.
"""
