"""Brevo's Loyalty, for its own SDKs: ``/v3/loyalty/…`` and, lightly, ``/v3/contacts``.

An integration changes the host and nothing else: ``baseUrl`` of ``BrevoClient``,
``base_url`` in Python.

**Who asks.** An API key as the ``api-key`` header, or after ``Authorization: Bearer``.
A program is known by its uuid. One that there is not and one that the key may not see
read alike. A key needs the scope ``read`` to read, ``drafts`` to draft, ``points`` to
enrol, post and assign, and ``publish`` to make programs and to publish. A key that may
neither draft nor publish sees what is live only, whatever ``version`` it asks for.
"""
