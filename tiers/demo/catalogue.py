"""Which programs the demo has, and who makes each."""

from . import corner_shop, gemstone, lakeside, vinyl

#: By program id, in the order of making; each returns what it made, in words.
PROGRAMS = {
    gemstone.PROGRAM: gemstone.make,
    corner_shop.PROGRAM: corner_shop.make,
    lakeside.PROGRAM: lakeside.make,
    vinyl.PROGRAM: vinyl.make,
}
