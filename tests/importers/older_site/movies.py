"""Votes on the movies of a provider."""

from django.db import models

from older_site.base import EmailUser, email, passwords
from older_site.facts import LONG_AGO, MOVIE


class User(EmailUser):
    first_name = models.CharField(max_length=255, blank=True)
    last_name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


class MovieRating(models.Model):
    movie_id = models.UUIDField()
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    rating_type = models.CharField(max_length=10)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()


def fill(users: int) -> None:
    hashes = passwords(users)
    User.objects.bulk_create(
        User(
            id=number,
            email=email(number),
            password=hashes[number - 1],
            created_at=LONG_AGO,
            updated_at=LONG_AGO,
        )
        for number in range(1, users + 1)
    )
    # Two accounts whose addresses differ in case only, as that backend allowed.
    User.objects.create(
        email="MEMBER1@older.example",
        password=hashes[0],
        created_at=LONG_AGO,
        updated_at=LONG_AGO,
    )
    for number in range(1, users + 1):
        MovieRating.objects.create(
            movie_id=MOVIE,
            user_id=number,
            rating_type="UPVOTE" if number % 2 else "DOWNVOTE",
            created_at=LONG_AGO,
            updated_at=LONG_AGO,
        )
