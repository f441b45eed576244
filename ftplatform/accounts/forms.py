"""Forms of accounts and API tokens."""

from django import forms

from ftplatform.accounts.models import ApiToken, User
from ftplatform.accounts.services import MAX_TOKEN_DAYS


class UserForm(forms.Form):
    email = forms.EmailField()
    name = forms.CharField(max_length=100)
    role = forms.ChoiceField(
        choices=User.Role.choices,
        initial=User.Role.MANAGER,
        help_text="Admins train models. Managers run campaigns and read reports. Reviewers do not need an account.",
    )


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="The program that will use it.")
    scopes = forms.MultipleChoiceField(choices=ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(
        initial=90, min_value=1, max_value=MAX_TOKEN_DAYS, label="Days until it expires"
    )
