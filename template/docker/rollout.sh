#!/bin/sh
# Replaces the containers of services by new ones, one after the other: sh docker/rollout.sh app
# Each old one is stopped when a new one is healthy and known to the proxy, so that no request is lost.
set -eu

# Seconds after which the proxy knows of a new container, and no longer of one that has gone: docker/proxy/site.conf.in.
KNOWN=2

fail() {
    echo "rollout: $*" >&2
    exit 1
}

[ $# -gt 0 ] || fail "name the services whose containers are to be replaced, such as app."

for service in "$@"; do
    old=$(docker compose ps --quiet "$service") || fail "$service is no service of this project."
    [ -n "$old" ] || fail "$service does not run: start it by docker compose up --detach."
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
            fail "a new container of $service is not healthy, its log is above: those before it go on."
        fi
        old="$old $(docker compose ps --quiet "$service")"
        sleep "$KNOWN"
        docker stop "$container" >/dev/null
        docker rm --volumes "$container" >/dev/null
        sleep "$KNOWN"
    done
done
