"""Jobs of webhooks: deliveries, and the retention of events."""

import logging

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue import complete_job, handles
from videoflix.platform.retention import retention
from videoflix.settings import settings
from videoflix.webhooks.repository import WebhookEndpointRepository, WebhookEventRepository
from videoflix.webhooks.schemas import DeliverWebhooks, ResumeWebhooks
from videoflix.webhooks.service.delivering import Deliveries, deliver

logger = logging.getLogger(__name__)


@handles(DeliverWebhooks)
async def deliver_webhooks(job: DeliverWebhooks) -> None:
    await deliver(job.endpoint_id)
    async with complete_job() as session:
        await Deliveries(session).plan_next(job.endpoint_id)


@handles(ResumeWebhooks)
async def resume_webhooks(job: ResumeWebhooks) -> None:
    async with complete_job() as session:
        resumed = await Deliveries(session).resume_overdue()
    if resumed:
        logger.info("resumed the deliveries to %d webhook endpoints", resumed)


@retention("events of webhooks", kept="WEBHOOK_LOG_DAYS (30)")
async def delete_old_events(session: AsyncSession) -> int:
    await WebhookEndpointRepository(session=session).delete_stale_listeners()
    events = WebhookEventRepository(session=session)
    return await events.delete_older_than(settings.webhook_log_days)
