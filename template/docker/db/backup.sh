#!/bin/sh
# Writes a backup into /backups: the database in pg_dump's custom format, the media, and their checksums.
set -eu
umask 077

name=${1:-$(date -u +%Y-%m-%dT%H-%M-%SZ)}
case $name in
    '' | .* | */*) echo "backup: $name cannot be the name of a folder." >&2; exit 2 ;;
esac
target=/backups/$name
partial=/backups/.$name.partial
if [ ! -w /backups ]; then
    echo "backup: the folder of the backups is not writable for user $(id -u): sudo chown $(id -u) backups" >&2
    exit 1
fi
if [ -e "$target" ]; then
    echo "backup: $name exists already: give another name." >&2
    exit 1
fi

# The folder gets its name when the backup is complete.
rm -rf "$partial"
mkdir "$partial"
trap 'rm -rf "$partial"' EXIT
pg_dump --format custom --no-owner --no-privileges --file "$partial/database.dump"
tar --create --file "$partial/media.tar" --directory /media .
(cd "$partial" && sha256sum database.dump media.tar >SHA256SUMS)
sync
mv "$partial" "$target"
du -sh "$target" | { read -r size _ && echo "backup: $name, $size"; }
