"""Mails that answer somebody who may or may not have an account.

They are written later, so that the request takes the same time for both.
"""

from videoflix.platform.queue import completing, handles
from videoflix.registration.schemas import WriteReset, WriteToNewAddress, WriteToRegistrant
from videoflix.registration.service import Registration


@handles(WriteToRegistrant)
async def write_to_registrant(job: WriteToRegistrant) -> None:
    async with completing() as session:
        await Registration(session).write_to_registrant(job.email)


@handles(WriteReset)
async def write_reset(job: WriteReset) -> None:
    async with completing() as session:
        await Registration(session).write_reset(job.email)


@handles(WriteToNewAddress)
async def write_to_new_address(job: WriteToNewAddress) -> None:
    async with completing() as session:
        await Registration(session).write_to_new_address(job.user_id, job.email)
