"""Django's views to log in and out, with a message after each."""

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _


class SignInView(LoginView):
    """Log in. A user who is logged in already is redirected."""

    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Ignore a ``next`` that is this page: it would redirect for ever."""
        url = super().get_success_url()
        return self.get_default_redirect_url() if url == self.request.path else url

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Add a message."""
        response = super().form_valid(form)
        name = form.get_user().get_short_name() or form.get_user().get_username()
        messages.success(self.request, _("Welcome, %(name)s.") % {"name": name})
        return response


class SignOutView(LogoutView):
    """Log out, by POST only."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Add a message."""
        response = super().post(request, *args, **kwargs)
        messages.info(request, _("Logged out"))
        return response
