"""Forms of the loyalty admin's own pages."""

import zoneinfo
from typing import Any

from django import forms

from approvals.forms import (
    StrictCharField,
    StrictIntegerField,
    StrictTextField,
)

from .models import BalanceDefinitionVersion, Program, ProgramVersion


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
