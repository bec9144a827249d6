"""Text that people may store: none that hides, reorders or cannot be saved."""

import unicodedata

from django.core.exceptions import ValidationError

# Zero-width and bidirectional controls hide or reorder what a reviewer reads.
HIDDEN = frozenset(
    "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064"
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
# Controls, lone surrogates, separators of lines and paragraphs.
INVISIBLE = frozenset(("Cc", "Cs", "Zl", "Zp"))


def validate_line(value: str) -> None:
    """Refuse what has no place in one line of text: controls, tricks, nothing."""
    if not value.strip():
        raise ValidationError("This must not be blank.", code="invalid_text")
    _refuse_tricks(value, allowed="")


def validate_text(value: str) -> None:
    """Refuse controls and tricks in text of several lines."""
    _refuse_tricks(value, allowed="\n\r\t")


def _refuse_tricks(value: str, *, allowed: str) -> None:
    for character in value:
        if character in allowed:
            continue
        if unicodedata.category(character) in INVISIBLE or character in HIDDEN:
            raise ValidationError(
                f"The character U+{ord(character):04X} is not allowed here: "
                "it cannot be seen.",
                code="invalid_text",
            )


def comparable(value: str) -> str:
    """Return what two texts have in common that people would call the same."""
    folded = unicodedata.normalize("NFKC", value).casefold()
    # Folding can undo what normalising did: "ﬀ" in capitals, for one.
    return unicodedata.normalize("NFKC", folded).strip()
