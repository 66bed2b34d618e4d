"""Cookies, HLS by resolution, a watchlist and a history."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from older_site.base import email, passwords
from older_site.facts import FILM, LONG_AGO


class User(AbstractUser):
    phone = models.CharField(max_length=20, null=True)
    address = models.CharField(max_length=255, null=True)


class Category(models.Model):
    name = models.CharField(max_length=100)


class Video(models.Model):
    title = models.CharField(max_length=255)
    description = models.TextField()
    duration = models.PositiveIntegerField()
    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    video_file = models.FileField(upload_to="videos")
    thumbnail = models.ImageField(upload_to="thumbnails", null=True)
    is_featured = models.BooleanField(default=False)
    created_at = models.DateTimeField()


class Watchlist(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)


class WatchlistEntry(models.Model):
    watchlist = models.ForeignKey(Watchlist, on_delete=models.CASCADE)
    video = models.ForeignKey(Video, on_delete=models.CASCADE)
    added_on = models.DateTimeField()


class WatchHistory(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    video = models.ForeignKey(Video, on_delete=models.CASCADE)
    watched_on = models.DateTimeField()
    updated_at = models.DateTimeField()
    progress_seconds = models.FloatField(default=0)


def fill(users: int) -> None:
    hashes = passwords(users)
    User.objects.bulk_create(
        User(
            id=number,
            username=f"member{number}",
            email=email(number),
            password=hashes[number - 1],
            first_name=f"Member {number}",
            is_superuser=number == 1,
            is_staff=number <= 2,
            date_joined=LONG_AGO,
            phone="030 123" if number == 3 else None,
        )
        for number in range(1, users + 1)
    )
    drama = Category.objects.create(name="Drama")
    for number, title in enumerate(("Dunes", "Lost film"), 1):
        Video.objects.create(
            id=40 + number,
            title=title,
            description="Sand.",
            duration=2,
            category=drama,
            user_id=1,
            video_file=FILM if number == 1 else "videos/gone.mp4",
            is_featured=number == 1,
            created_at=LONG_AGO,
        )
    for number in range(1, users + 1):
        mine = Watchlist.objects.create(user_id=number)
        WatchlistEntry.objects.create(watchlist=mine, video_id=41, added_on=LONG_AGO)
        WatchHistory.objects.create(
            user_id=number,
            video_id=41,
            progress_seconds=number,
            watched_on=LONG_AGO,
            updated_at=LONG_AGO,
        )
