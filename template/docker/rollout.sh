#!/bin/sh
# Replaces the containers of services one by one: sh docker/rollout.sh app
# Each old one is stopped once a new one is healthy and the proxy sends it requests, so that no request fails.
set -eu

# Seconds until the proxy has resolved the service name again: `resolver` in docker/proxy/site.conf.in.
KNOWN=2

fail() {
    echo "rollout: $*" >&2
    exit 1
}

[ $# -gt 0 ] || fail "name the services to replace, such as app."

for service in "$@"; do
    old=$(docker compose ps --quiet "$service") || fail "this project has no service $service."
    [ -n "$old" ] || fail "$service is not running: start it with docker compose up --detach."
    count=$(echo "$old" | wc -l)
    for container in $old; do
        if ! docker compose up --detach --no-deps --no-recreate --scale "$service=$((count + 1))" --wait "$service"; then
            for new in $(docker compose ps --all --quiet "$service"); do
                case $old in
                    *"$new"*) ;;
                    *)
                        docker logs --tail 20 "$new" >&2
                        docker rm --force --volumes "$new" >/dev/null
                        ;;
                esac
            done
            fail "a new container of $service is not healthy, its log is above; the old ones keep running."
        fi
        old="$old $(docker compose ps --quiet "$service")"
        sleep "$KNOWN"
        docker stop "$container" >/dev/null
        docker rm --volumes "$container" >/dev/null
        sleep "$KNOWN"
    done
done
