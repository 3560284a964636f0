"""How gunicorn serves the site; WEB_CONCURRENCY is the number of its processes.

https://gunicorn.org/reference/settings/
"""

bind = "0.0.0.0:8000"  # inside the container: what is published is decided outside
# The site is loaded before any worker: a wrong variable ends the container, instead of one worker after another.
preload_app = True
worker_class = "gthread"
threads = 4
# Seconds; longer than the proxy keeps a connection that it may use again.
keepalive = 75
# A heartbeat is a file: on a disk that is busy, a worker would be taken for dead.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - memory, of this container alone
control_socket_disable = True
