"""One's own account: API tokens, shown once when made."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from monitors.access import allows, viewer_required
from monitors.models import ApiToken, Scope

NEEDED_LEVEL = {
    Scope.READ: "view",
    Scope.WRITE: "operate",
    Scope.PACKETS: "download_packets",
    Scope.JOIN: "operate",
}
LIFETIMES = [("30", "30 days"), ("365", "1 year"), ("", "Until revoked")]


class TokenForm(forms.Form):
    """Name, scopes that the user may give away, and life time."""

    name = forms.CharField(max_length=80, help_text="What will use it, so that you know later what to revoke.")
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, initial=[Scope.READ])
    days = forms.ChoiceField(label="Valid for", choices=LIFETIMES, required=False)

    def __init__(self, request: HttpRequest, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [choice for choice in Scope.choices if allows(request.user, NEEDED_LEVEL[Scope(choice[0])])]


def own_tokens(request: HttpRequest) -> QuerySet[ApiToken]:
    assert isinstance(request.user, User)  # the decorators let nobody else in
    return ApiToken.objects.filter(user=request.user)


@viewer_required
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """The page, and the making of a token: its secret is in this one answer only."""
    form, secret = TokenForm(request, request.POST or None), None
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        expires = timezone.now() + timedelta(days=int(days)) if days else None
        _, secret = ApiToken.issue(request.user, form.cleaned_data["name"], form.cleaned_data["scopes"], expires)
        form = TokenForm(request)
    ctx = {
        "section": "account",
        "form": form,
        "secret": secret,
        "tokens": own_tokens(request),
    }
    return render(request, "monitors/account.html", ctx)


@viewer_required
@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(own_tokens(request), pk=pk)
    token.delete()
    messages.success(request, f"The token “{token.name}” no longer works.")
    return redirect("account")
