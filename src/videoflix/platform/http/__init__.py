"""HTTP building blocks: parameters, ranges, downloads, idempotency keys and headers."""
