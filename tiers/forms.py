"""Forms of the tiers admin's own pages."""

from typing import Any

from django import forms

from approvals.forms import (
    StrictCharField,
    StrictDateTimeField,
    StrictDecimalField,
    StrictTextField,
)
from loyalty.fields import validate_color
from loyalty.forms import ProgramChoiceField, ShortReasonForm
from loyalty.models import Program

from .models import Override, TierGroup, TierVersion


class NewGroupForm(forms.Form):
    program = ProgramChoiceField()
    name = StrictCharField(
        max_length=128, help_text="For example “Main” or “Travel club”."
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        program: Any = self.fields["program"]
        program.queryset = Program.objects.visible_to(user).with_live()


class NewTierForm(forms.Form):
    group = forms.ModelChoiceField(
        queryset=TierGroup.objects.none(), empty_label="Choose one"
    )
    name = StrictCharField(max_length=128, help_text="What members see.")
    description = StrictTextField(max_length=500, required=False, widget=forms.Textarea)
    color = StrictCharField(
        label="Colour",
        max_length=7,
        required=False,
        validators=[validate_color],
        help_text="As #RRGGBB, for example #FFD700.",
    )
    entry = forms.ChoiceField(
        label="Who gets in",
        choices=TierVersion.Entry.choices,
        initial=TierVersion.Entry.MEASURED,
    )
    threshold = StrictDecimalField(
        min_value=0,
        max_digits=20,
        decimal_places=4,
        required=False,
        help_text="How much a member must reach; reaching it exactly is enough.",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        group: Any = self.fields["group"]
        groups = TierGroup.objects.visible_to(user).kept().with_live()
        names = {p.pk: str(p) for p in Program.objects.visible_to(user).with_live()}
        group.queryset = groups
        group.label_from_instance = lambda g: f"{g} ({names[g.program_id]})"


# Acts by hand


class ActOnTierForm(ShortReasonForm):
    """Which tier, and why."""

    tier = forms.TypedChoiceField(coerce=int)
    field_order: tuple[str, ...] = ("tier", "comment")

    def __init__(self, *args: Any, tiers: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tier: Any = self.fields["tier"]
        tier.choices = [("", "Choose one"), *tiers]


class OverrideForm(ActOnTierForm):
    bound = forms.ChoiceField(
        label="The member holds",
        choices=[
            (Override.Bound.FLOOR, "At least this tier, or a higher one"),
            (Override.Bound.CEILING, "At most this tier, or a lower one"),
            (Override.Bound.PIN, "Exactly this tier"),
        ],
        initial=Override.Bound.FLOOR,
        widget=forms.RadioSelect,
    )
    until = StrictDateTimeField(
        required=False, help_text="Empty: until somebody ends it."
    )

    field_order = ("bound", "tier", "until", "comment")


class EvaluateForm(ShortReasonForm):
    group = forms.TypedChoiceField(coerce=int)
    field_order = ("group", "comment")

    def __init__(self, *args: Any, groups: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        group: Any = self.fields["group"]
        group.choices = groups
