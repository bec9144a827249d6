"""A process that does one piece of a benchmark, so that its memory is its own."""

import os
import sys

import django


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tests.benchmarks import generator

    what, size = arguments[:2]
    if what == "build":
        generator.build(generator.SIZES[size])


if __name__ == "__main__":
    main(sys.argv[1:])
