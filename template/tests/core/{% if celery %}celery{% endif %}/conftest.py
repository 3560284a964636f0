"""Which tests there are depends on the machine."""

import os

# Tried with a broker where there is one: docs/celery.md.
collect_ignore = [] if "TEST_BROKER_URL" in os.environ else ["test_broker.py"]
