"""Users, passwords, and the pages after login and logout.

https://docs.djangoproject.com/en/5.2/topics/auth/customizing/
"""

from .prefix import url_prefix

AUTH_USER_MODEL = "users.User"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = f"{url_prefix}/"
LOGOUT_REDIRECT_URL = f"{url_prefix}/"
