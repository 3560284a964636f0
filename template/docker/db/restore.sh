#!/bin/sh
# Restores a backup of /backups, into a database and media that are empty: restore.sh NAME [--force].
set -eu

fail() {
    echo "restore: $*" >&2
    exit 1
}

case ${1:-} in
    '' | -h | --help)
        echo "Usage: restore NAME [--force]. Backups: $(find /backups -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%f ')"
        [ $# -ge 1 ] && exit 0 || exit 2
        ;;
esac
name=$1
case $name in
    .* | */*) echo "restore: $name cannot be the name of a backup." >&2; exit 2 ;;
esac
force=${2:-}
source=/backups/$name
[ -z "$force" ] || [ "$force" = --force ] || fail "$force is no option: --force replaces what is there."
[ -f "$source/database.dump" ] || fail "there is no backup $name: its folder has no database.dump."
(cd "$source" && sha256sum --check --quiet SHA256SUMS) || fail "$name is damaged: its files do not have the checksums that were written."

[ -w /media ] || fail "the media are not writable for user $(id -u): create their volume with docker compose create app."

query() { psql --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }

tables=$(query "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$force" != --force ]; then
    [ "$tables" = 0 ] || fail "the database holds $tables tables: --force replaces them."
    [ -z "$(find /media -mindepth 1 -print -quit)" ] || fail "there are media: --force replaces them."
fi

# One transaction: without COMMIT, everything is rolled back.
complete=/tmp/complete
{
    echo "BEGIN; SET client_min_messages = warning; SET lock_timeout = '30s'; DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    pg_restore --no-owner --no-privileges --file - "$source/database.dump" && touch "$complete" && echo 'COMMIT;'
} | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null
[ -f "$complete" ] || fail "$name could not be read to its end; the database is as it was."

find /media -mindepth 1 -delete
tar --extract --file "$source/media.tar" --directory /media
echo "restore: $name"
