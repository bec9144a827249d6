"""What the description of the API says as a whole: the voices, each in its own words.

Each package of a voice opens with who asks, what is supported and what is refused; the
page at ``/api/docs/`` shows the same text, so it is written once.
"""

import inspect
from importlib import import_module
from typing import Any, Final

from .native import problems

#: Under which heading the document has what each package speaks.
VOICES: Final = {
    "Capillary: /v3/tiers": "tiers.api.capillary",
    "Brevo": "tiers.api.brevo",
    "Wix": "tiers.api.wix",
}
NATIVE: Final = "tiers.api.native"


def describe_voices(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Put the packages' own words on top of the document, and above each voice."""
    result["info"]["description"] = "\n\n".join(
        [
            "Loyalty tiers: in our own words below `/api/v1/`, and in those of three "
            "vendors, whose own clients work with nothing but the host changed.",
            f"## Our own voice\n\n{_words_of(NATIVE)}",
            f"## Codes of refusals\n\n{problems.table()}",
        ]
    )
    used = {tag for tag in _tags(result) if tag not in VOICES}
    result["tags"] = [{"name": tag} for tag in sorted(used)] + [
        {"name": tag, "description": _words_of(package)}
        for tag, package in VOICES.items()
    ]
    return result


def _words_of(package: str) -> str:
    """Return what a package says of itself, with its code as Markdown has it."""
    text = inspect.cleandoc(import_module(package).__doc__ or "")
    return text.replace("``", "`")


def _tags(document: dict[str, Any]) -> list[str]:
    return [
        tag
        for methods in document["paths"].values()
        for operation in methods.values()
        for tag in operation.get("tags", ())
    ]
