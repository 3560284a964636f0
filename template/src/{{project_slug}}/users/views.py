"""Django's views for signing in and out, with a message after each."""

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _


class SignInView(LoginView):
    """Sign in; whoever is signed in already is sent on."""

    redirect_authenticated_user = True

    def get_success_url(self) -> str:
        """Leave out a ``next`` that leads back to this page: it would go in circles."""
        url = super().get_success_url()
        return self.get_default_redirect_url() if url == self.request.path else url

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Greet by name."""
        response = super().form_valid(form)
        name = form.get_user().get_short_name() or form.get_user().get_username()
        messages.success(self.request, _("Welcome, %(name)s.") % {"name": name})
        return response


class SignOutView(LogoutView):
    """Sign out, by POST only."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Say that it happened."""
        response = super().post(request, *args, **kwargs)
        messages.info(request, _("Logged out"))
        return response
