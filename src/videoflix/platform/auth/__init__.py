"""Authentication: identities, tokens, cookies, CSRF protection, revocations."""
