"""What routes share: parameters, ranges, downloads, idempotency keys, headers."""
