"""What other systems read and write over HTTP, in the words that they already speak.

Each vendor has a package of its own here, a **voice**, built alike: ``protocol``
(who asks, in which envelope, how refusals are worded), ``serializers`` (their words
for ours), ``views`` and ``urls``. Voices share who somebody is and why something is
refused, and are strangers to one another otherwise.
"""
