"""What Celery needs besides its settings: docs/runtime.md."""
