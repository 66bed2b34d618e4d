"""What profiles remember, over HTTP."""
