"""What the accounts of all five have."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import PermissionsMixin
from django.db import models

from older_site.facts import PASSWORD


class FewIterations(PBKDF2PasswordHasher):
    """Django's hasher, quick enough for thousands of accounts."""

    iterations = 1_000


class EmailUser(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(max_length=255, unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    USERNAME_FIELD = "email"

    class Meta:
        abstract = True


def passwords(count: int) -> list[str]:
    """A hash for each account, with a salt of its own."""
    return [make_password(PASSWORD) for _ in range(count)]


def email(number: int) -> str:
    return f"member{number}@older.example"
