"""Forms of accounts: sign-in, making one, inviting, and how changes are approved. They validate, nothing else."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError

from overlayweb.domain.policy import ApprovalMode, Role

APPROVAL_MODES = ((ApprovalMode.TWO_PEOPLE, "Two people"), (ApprovalMode.SOLO, "Solo"))
ROLES = ((Role.MEMBER, "Member"), (Role.READER, "Reader"), (Role.ADMIN, "Administrator"))
_LABELS = {"username": "user name", "first name": "name"}
WRONG = "User name or password is not right. Both tell upper from lower case."


class SignInForm(AuthenticationForm):
    """Django's sign-in with our words."""

    error_messages = {"invalid_login": WRONG, "inactive": WRONG}  # noqa: RUF012  # as in Django's class

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"


class ApprovalModeForm(forms.Form):
    """How changes are approved."""

    approval_mode = forms.TypedChoiceField(choices=APPROVAL_MODES, coerce=ApprovalMode, widget=forms.RadioSelect)


class InviteForm(forms.Form):
    """An invitation: for whom, and what they may do."""

    note = forms.CharField(max_length=150, label="For whom")
    role = forms.TypedChoiceField(choices=ROLES, coerce=Role, widget=forms.RadioSelect, initial=Role.MEMBER)


class RoleForm(forms.Form):
    """Another role for somebody."""

    role = forms.TypedChoiceField(choices=ROLES, coerce=Role)


class PasswordForm(forms.Form):
    """A password for an account that is there already."""

    password = forms.CharField(widget=forms.PasswordInput(), strip=False)
    password_again = forms.CharField(widget=forms.PasswordInput(), strip=False, label="Password again")

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean(self) -> dict[str, Any]:
        """Judge the password beside the name, and compare both."""
        cleaned = super().clean() or {}
        password, again = cleaned.get("password"), cleaned.get("password_again")
        if password:
            try:
                password_validation.validate_password(password, self.named())
            except ValidationError as error:
                for problem in error.error_list:  # named as the form names them
                    if problem.code == "password_too_similar" and problem.params:
                        problem.params = {"verbose_name": _LABELS.get(problem.params["verbose_name"], "account")}
                self.add_error("password", error)
        if password and again and password != again:
            self.add_error("password_again", "This is not the same as the password above.")
        return cleaned

    def named(self) -> User:
        """Whose password this is to be."""
        return self.person


class AccountForm(PasswordForm):
    """A new account; the first one also chooses how changes are approved."""

    field_order = ("username", "full_name", "password", "password_again", "approval_mode")

    username = forms.CharField(max_length=150, label="User name", validators=[UnicodeUsernameValidator()])
    full_name = forms.CharField(max_length=150, label="Name")
    approval_mode = forms.TypedChoiceField(
        choices=APPROVAL_MODES,
        coerce=ApprovalMode,
        widget=forms.RadioSelect,
        initial=ApprovalMode.TWO_PEOPLE,
        label="Who approves changes",
    )

    def __init__(self, *args: Any, asks_approval_mode: bool, **kwargs: Any) -> None:
        super().__init__(*args, person=User(), **kwargs)
        if not asks_approval_mode:
            del self.fields["approval_mode"]

    def clean_username(self) -> str:
        """A user name that nobody has, upper and lower case alike."""
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise ValidationError("This user name is taken. Choose another one.")
        return username

    def named(self) -> User:
        """The person as typed."""
        typed = self.cleaned_data
        return User(username=typed.get("username", ""), first_name=typed.get("full_name", ""))

    def chosen(self) -> dict[str, Any]:
        """What ``installation.accept`` wants: user name, password, full name, approval mode or None."""
        names = ("username", "password", "full_name", "approval_mode")
        return {name: self.cleaned_data.get(name) for name in names}
