"""Codes by e-mail, MP4 files."""

from django.db import models

from older_site.base import EmailUser, email, passwords
from older_site.facts import FILM, LONG_AGO


class User(EmailUser):
    first_name = models.CharField(max_length=30, blank=True)
    last_name = models.CharField(max_length=30, blank=True)
    is_verified = models.BooleanField(default=False)
    date_joined = models.DateTimeField()


class Category(models.Model):
    name = models.CharField(max_length=50)
    slug = models.SlugField(unique=True)


class Video(models.Model):
    file = models.FileField(upload_to="videos")
    title = models.CharField(max_length=120)
    description = models.TextField()
    category = models.ForeignKey(Category, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField()
    thumbnail = models.ImageField(upload_to="thumbnails", null=True)


def fill(users: int) -> None:
    hashes = passwords(users + 1)
    User.objects.bulk_create(
        User(
            id=number,
            email=email(number),
            password=hashes[number - 1],
            first_name="Ada",
            last_name=f"Number {number}",
            is_superuser=number == 1,
            is_staff=number == 1,
            is_verified=True,
            date_joined=LONG_AGO,
        )
        for number in range(1, users + 1)
    )
    User.objects.create(email="new@older.example", password=hashes[users], date_joined=LONG_AGO)
    drama = Category.objects.create(name="Drama", slug="drama")
    Video.objects.create(
        id=5, title="Dunes", description="Sand.", category=drama, file=FILM, created_at=LONG_AGO
    )
