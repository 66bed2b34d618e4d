"""Rate limits: token buckets in Postgres and in memory."""
