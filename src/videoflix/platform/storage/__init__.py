"""Media storage: a local folder or an S3-compatible bucket."""
