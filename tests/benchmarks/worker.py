"""A process that does one piece of a benchmark, so that its memory is its own.

It prints its results as JSON, one a line.
"""

import json
import os
import sys

import django


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.conf import settings

    # Development keeps every statement in memory, and hides what costs.
    settings.DEBUG = False
    from tests.benchmarks import generator, posting, recalculating
    from tiers import counts

    what, size = arguments[0], generator.SIZES[arguments[1]]
    if what == "build":
        generator.build(size)
    elif what == "judge":
        recalculating.judge_everybody(generator.NOW)
        counts.recount(recalculating.program(), as_of=generator.NOW)
        generator.vacuum()
    else:
        module = recalculating if hasattr(recalculating, what) else posting
        for result in getattr(module, what)(size, *arguments[2:]):
            print(json.dumps(result.as_dict()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
