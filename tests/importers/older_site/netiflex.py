"""Tokens, guests, genres."""

from django.db import models

from older_site.base import EmailUser, email, passwords
from older_site.facts import FILM, LONG_AGO


class User(EmailUser):
    phone = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=255, blank=True)


class Video(models.Model):
    title = models.CharField(max_length=150)
    author = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    uploaded_by = models.ForeignKey(User, on_delete=models.CASCADE, default=1)
    genre = models.CharField(max_length=20, null=True)
    uploaded_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    is_favorite = models.BooleanField(default=False)
    language = models.CharField(max_length=20, null=True)
    video_file = models.FileField(upload_to="videos", null=True)
    poster = models.CharField(max_length=255, blank=True)
    duration = models.IntegerField(null=True)


def fill(users: int) -> None:
    hashes = passwords(users + 2)
    User.objects.bulk_create(
        User(
            id=number,
            email=email(number),
            password=hashes[number - 1],
            is_superuser=number == 1,
            is_staff=number == 1,
            phone="030 123" if number == 3 else "",
        )
        for number in range(1, users + 1)
    )
    # A guest, and somebody who never opened the mail.
    User.objects.create(email="videoflix-a1b2c3@mock.com", password=hashes[users])
    User.objects.create(email="new@older.example", password=hashes[users + 1], is_active=False)
    Video.objects.create(
        id=7,
        title="Dunes",
        author="Ada",
        description="Sand.",
        genre="documentary",
        language="german",
        uploaded_at=LONG_AGO,
        updated_at=LONG_AGO,
        is_favorite=True,
        video_file=FILM,
    )
