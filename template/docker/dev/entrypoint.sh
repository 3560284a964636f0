#!/bin/sh
# entrypoint.sh FOLDER COMMAND...: runs the command if the user of the container may write to the folder, which is mounted from the host.
set -eu

folder=$1
shift
if [ ! -w "$folder" ]; then
    set -- "$(stat -c %u "$folder")" "$(stat -c %g "$folder")"
    echo "The project belongs to user $1 of group $2, and this container is user $(id -u) of group $(id -g):" \
        "write UID=$1 and GID=$2 into .env, then run docker compose up --build." >&2
    exit 1
fi
exec "$@"
