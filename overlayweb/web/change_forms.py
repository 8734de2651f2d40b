"""What people say to a change. Forms validate, nothing else."""

from django import forms


class ApproveForm(forms.Form):
    """The hash of the plan that was read, and a word if one is wanted."""

    plan_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))


class RejectForm(ApproveForm):
    """Who rejects says why."""

    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say why: the author reads it and plans again."},
    )
