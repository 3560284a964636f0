"""Django's own backend for PostgreSQL, which fails at once while the server is down."""
