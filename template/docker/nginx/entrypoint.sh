#!/bin/sh
# Runs before nginx starts: fills its configuration in from the environment, and keeps files of earlier releases.
set -eu

fail() {
    echo "nginx: $*" >&2
    exit 1
}

url_prefix=${URL_PREFIX:-}
max_body_size=${CLIENT_MAX_BODY_SIZE:-100M}
hsts_seconds=${SECURE_HSTS_SECONDS:-3600}

echo "$url_prefix" | grep -Eqx '(/[A-Za-z0-9._-]+)*' ||
    fail "URL_PREFIX is $url_prefix: write it as /path, without a slash at its end."
echo "$max_body_size" | grep -Eqx '[0-9]+[kKmMgG]?' ||
    fail "CLIENT_MAX_BODY_SIZE is $max_body_size: write a number and k, m or g, such as 100M."
echo "$hsts_seconds" | grep -Eqx '[0-9]+' ||
    fail "SECURE_HSTS_SECONDS is $hsts_seconds: write a number of seconds."

site=/tmp/site
mkdir -p "$site"
: >"$site/trusted"
: >"$site/real_ip"
for network in $(echo "${TRUSTED_PROXIES:-}" | tr ',' ' '); do
    echo "$network" | grep -Eqx '[0-9a-fA-F.:]+(/[0-9]+)?' ||
        fail "TRUSTED_PROXIES names $network: write addresses or networks with commas between, such as 172.16.0.0/12."
    echo "$network 1;" >>"$site/trusted"
    echo "set_real_ip_from $network;" >>"$site/real_ip"
done

# Under a prefix, nothing is at the root of the host.
outside=''
if [ -n "$url_prefix" ]; then
    outside="location / { return 404; } location = $url_prefix { return 308 $url_prefix/\$is_args\$args; }"
fi

hsts="max-age=$hsts_seconds"
is_on() { echo "$1" | grep -Eqix '(true|t|1|yes|y|on)'; }
if is_on "${SECURE_HSTS_INCLUDE_SUBDOMAINS:-}"; then hsts="$hsts; includeSubDomains"; fi
if is_on "${SECURE_HSTS_PRELOAD:-}"; then hsts="$hsts; preload"; fi

# On disk, where there is a volume for them; /tmp is memory. What a proxy that was killed left there is of no use.
buffers=/var/cache/nginx/buffers
if [ -w "$buffers" ]; then find "$buffers" -type f -delete; else buffers=/tmp; fi

# Docker's own name server, or whichever the container has.
resolver=$(awk '$1 == "nameserver" { print index($2, ":") ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)

sed -e "s|@URL_PREFIX@|$url_prefix|g" \
    -e "s|@OUTSIDE@|$outside|" \
    -e "s|@BUFFERS@|$buffers|" \
    -e "s|@CLIENT_MAX_BODY_SIZE@|$max_body_size|" \
    -e "s|@STRICT_TRANSPORT_SECURITY@|$hsts|" \
    -e "s|@RESOLVER@|$resolver|" \
    /etc/nginx/site.conf.in >"$site/site.conf"

# Names with a hash are kept for a month after the last release that had them. A release retires when another one starts.
static=/usr/share/nginx/static
previous=/var/cache/nginx/previous
digit='[0-9a-f]'
hash="$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit$digit"
cd "$previous" 2>/dev/null || exit 0
if [ -f .current ]; then xargs touch --no-create <.current; fi
find . -type f -mtime +30 -delete
cd "$static"
find . -type f -name "*.$hash.*" -exec cp --parents {} "$previous" \;
find . -type f -name "*.$hash.*" >"$previous/.current"
