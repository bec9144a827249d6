"""Forms of the loyalty admin's own pages."""

import zoneinfo
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from approvals.forms import (
    ActForm,
    ReasonForm,
    StrictCharField,
    StrictDateTimeField,
    StrictDecimalField,
    StrictIntegerField,
    StrictTextField,
)
from approvals.text import validate_line

from .members import Details
from .models import BalanceDefinitionVersion, Program, ProgramVersion
from .wording import unit_name


class NewProgramForm(forms.Form):
    """What has to be known before a program exists; the rest is drafted later."""

    name = StrictCharField(
        max_length=128, help_text="What members and colleagues know the program by."
    )
    description = StrictTextField(max_length=500, required=False, widget=forms.Textarea)
    approval_required = forms.ChoiceField(
        label="Changes",
        choices=[
            (
                "yes",
                "Need approval. Every later change waits for a reviewer who had no "
                "hand in it. Nothing reaches members unread.",
            ),
            (
                "no",
                "Need no approval. A manager can publish at once, and nobody else "
                "looks first. Turning approval on later is one change.",
            ),
        ],
        initial="yes",
        widget=forms.RadioSelect,
        help_text="Turning approval off again is itself approved by a reviewer.",
    )
    currency = StrictCharField(
        max_length=3,
        initial="EUR",
        help_text="Three letters, such as EUR or USD: what purchases are counted in.",
    )
    time_zone = forms.ChoiceField(
        initial="UTC",
        help_text="Whose midnight begins a day: points count by whole local days.",
    )
    rolling_window_months = StrictIntegerField(
        label="Rolling window, in months",
        min_value=1,
        max_value=36,
        initial=12,
        help_text="For how many months points count towards a tier, 1 to 36.",
    )
    tier_name_rule = forms.ChoiceField(
        label="Tier names within a group",
        choices=ProgramVersion.NameRule.choices,
        initial=ProgramVersion.NameRule.CASEFOLD,
    )
    base_tier_name = StrictCharField(
        label="Members without a tier are called",
        max_length=50,
        required=False,
        help_text="For example “Member”. Leave it empty where a tier stands for them.",
    )

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zoneinfo.available_timezones())
        zone: Any = self.fields["time_zone"]
        zone.choices = [(name, name.replace("_", " ")) for name in zones]

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).upper()
        if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            raise forms.ValidationError("Write three letters, such as EUR.")
        return currency

    def clean_approval_required(self) -> bool:
        return bool(self.cleaned_data["approval_required"] == "yes")


class ProgramChoiceField(forms.ModelChoiceField):
    """One of the programs that a person may see."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            queryset=Program.objects.none(), empty_label="Choose one", **kwargs
        )


class NewBalanceForm(forms.Form):
    program = ProgramChoiceField()
    name = StrictCharField(max_length=128, help_text="For example “Stars” or “Nights”.")
    description = StrictTextField(max_length=500, required=False, widget=forms.Textarea)
    scale = StrictIntegerField(
        label="Decimals",
        min_value=0,
        max_value=4,
        initial=0,
        help_text="How many decimals amounts have, 0 to 4. It cannot be changed later.",
    )
    unit = StrictCharField(
        max_length=BalanceDefinitionVersion._meta.get_field("unit").max_length,
        initial="POINTS",
        help_text="POINTS, or a currency such as EUR.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        program: Any = self.fields["program"]
        program.queryset = Program.objects.visible_to(user).with_live()


# Members


class DetailsForm(forms.Form):
    """What people and other systems know a member by."""

    name = StrictCharField(max_length=150, required=False)
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        required=False,
        validators=[validate_line],
    )
    mobile = StrictCharField(label="Mobile number", max_length=32, required=False)
    external_id = StrictCharField(
        label="Your shop's number",
        max_length=128,
        required=False,
        help_text="The person's number in your shop or customer system.",
    )
    subscription_id = StrictCharField(label="Membership number", max_length=64)
    card = StrictCharField(label="Card number", max_length=64, required=False)

    @property
    def details(self) -> Details:
        names = [field.name for field in fields(Details)]
        return Details(**{name: self.cleaned_data[name] for name in names})


class NewMemberForm(DetailsForm):
    """Somebody who is to become a member."""

    program = ProgramChoiceField()
    joined_at = StrictDateTimeField(
        label="Member since",
        required=False,
        help_text="Empty: from now on. What was earned before counts as well.",
    )

    field_order = ("program",)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        program: Any = self.fields["program"]
        program.queryset = Program.objects.visible_to(user).with_live()
        number = self.fields["subscription_id"]
        number.required = False
        number.help_text = "Empty: a number is made."
        self.fields["email"].help_text = (
            "Somebody who is known already, by this address or by your shop's number, "
            "becomes a member as the person that they are."
        )

    def clean_joined_at(self) -> datetime | None:
        joined_at: datetime | None = self.cleaned_data["joined_at"]
        if joined_at and joined_at > timezone.now():
            raise ValidationError("This has not come yet.", code="in_future")
        return joined_at

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        known_by = ("name", "email", "mobile", "external_id", "card")
        if not self.errors and not any(said[name] for name in known_by):
            raise ValidationError(
                "Give a name, an address or a number to know the person by."
            )
        return said


class EditMemberForm(ActForm, DetailsForm):
    """The details of a member, as they are to be."""

    def __init__(self, *args: Any, details: Details, **kwargs: Any) -> None:
        kwargs["initial"] = asdict(details) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if not self.errors:
            said["details"] = self.details
        return said


class EraseForm(ReasonForm):
    """Cannot be undone, so that the number is written out once more."""

    number = StrictCharField(label="Membership number", max_length=64)

    field_order = ("number",)

    def __init__(self, *args: Any, number: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = number
        self.fields["number"].help_text = f"Write {number} to confirm."

    def clean_number(self) -> str:
        number = str(self.cleaned_data["number"]).strip()
        if number != self.expected:
            raise ValidationError(f"This is not {self.expected}.", code="not_confirmed")
        return number


# Points


class AmountField(StrictDecimalField):
    """An amount in a balance's own decimals, given back in its smallest unit."""

    def __init__(self, *, scale: int = 4, **kwargs: Any) -> None:
        self.scale = scale
        # 15 digits are exact everywhere that amounts are sent.
        super().__init__(max_digits=15, decimal_places=scale, **kwargs)

    def units(self, amount: Decimal, scale: int) -> int:
        """Return the amount in units; refuse decimals that the balance has not."""
        exact = amount.scaleb(scale)
        if exact != exact.to_integral_value():
            raise ValidationError(
                f"This balance has {scale} decimals."
                if scale
                else "This balance has no decimals: write a whole number.",
                code="too_many_decimals",
            )
        return int(exact)


class ShortReasonForm(ActForm):
    """A reason of one line, where the record has room for no more."""

    comment = StrictCharField(
        label="Reason",
        max_length=255,
        error_messages={"required": "Say why: others will read it."},
        help_text="It stays on record, with the member. Name nobody in it.",
    )


class OnceForm(ShortReasonForm):
    """Names itself, so that pressing the button twice is one posting."""

    reference = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reference"].initial = uuid4

    def clean_reference(self) -> str:
        reference: UUID = self.cleaned_data["reference"]
        return str(reference)


class AdjustForm(OnceForm):
    """Points to add or to take by hand."""

    balance = forms.TypedChoiceField(coerce=int)
    amount = AmountField(
        help_text="What is added, such as 250. To take away, write a minus: -250."
    )

    field_order = ("balance", "amount", "comment")

    def __init__(self, *args: Any, balances: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scales = {balance.pk: balance.scale for balance in balances}
        balance_field: Any = self.fields["balance"]
        balance_field.choices = [
            (balance.pk, f"{balance}, in {unit_name(balance.live_unit)}")
            for balance in balances
        ]

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if "amount" in said and "balance" in said:
            field: Any = self.fields["amount"]
            try:
                said["units"] = field.units(
                    said["amount"], self.scales[said["balance"]]
                )
            except ValidationError as error:
                self.add_error("amount", error)
            else:
                if not said["units"]:
                    self.add_error("amount", "An adjustment changes something.")
        return said


class ReverseForm(OnceForm):
    """How much of a line to take back."""

    amount = AmountField(
        label="How much of it",
        required=False,
    )

    field_order = ("amount", "comment")

    def __init__(
        self, *args: Any, scale: int, left: int, left_in_words: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.scale, self.left, self.left_in_words = scale, left, left_in_words
        self.fields["amount"].help_text = f"Empty: all of it, {left_in_words}."

    def clean_amount(self) -> int | None:
        amount: Decimal | None = self.cleaned_data["amount"]
        if amount is None:
            return None
        if amount <= 0:
            raise ValidationError("Write how much, without a sign.", code="invalid")
        field: Any = self.fields["amount"]
        units = int(field.units(amount, self.scale))
        if units > self.left:
            raise ValidationError(
                f"Only {self.left_in_words} can be reversed.", code="more_than_left"
            )
        return units
