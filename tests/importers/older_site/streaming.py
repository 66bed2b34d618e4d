"""Memberships, check-ins, invoices."""

from datetime import date

from django.db import models

from older_site.base import EmailUser, email, passwords


class User(EmailUser):
    name = models.CharField(max_length=255)


class Membership(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE)
    state = models.CharField(max_length=4)
    credits = models.PositiveIntegerField()
    start_date = models.DateField()
    end_date = models.DateField()


class Invoice(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    date = models.DateField()
    status = models.CharField(max_length=4)
    description = models.CharField(max_length=255, blank=True)
    amount = models.PositiveIntegerField(default=0)


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE)
    amount = models.PositiveIntegerField(default=0)
    description = models.CharField(max_length=255, blank=True)


def fill(users: int) -> None:
    hashes = passwords(users)
    User.objects.bulk_create(
        User(id=number, email=email(number), password=hashes[number - 1], name=f"Ada {number}")
        for number in range(1, users + 1)
    )
    for number in range(1, users + 1):
        Membership.objects.create(
            user_id=number,
            state="CANC" if number == 2 else "ACT",
            credits=number % 4,
            start_date=date(2023, 1, 1),
            end_date=date(2099, 1, 1),
        )
    # Paid; billed twice in a month; a line that was made larger afterwards; without lines; void.
    billed = (
        (1, "PAID", "Invoice for month number 5", 2, (1, 1)),
        (1, "OUT", "A second one", 3, (3,)),
        (2, "OUT", "Corrected", 3, (10,)),
        (3, "OUT", "", 11, ()),
        (3, "VOID", "A mistake", 4, (4,)),
    )
    for user, status, description, amount, lines in billed:
        invoice = Invoice.objects.create(
            user_id=user,
            date=date(2023, 5, 17),
            status=status,
            description=description,
            amount=amount,
        )
        for line in lines:
            InvoiceLine.objects.create(invoice=invoice, amount=line, description="Check-in")
