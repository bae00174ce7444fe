#!/bin/sh
# The entry point of the image, as that of the official RabbitMQ image: what runs is the command, `rabbitmq-server` unless
# told otherwise; as root the data folder is handed to the user rabbitmq, and root is given up.
set -eu

uid=999
gid=999

# Only for tests, which have the files of an image in a folder instead of a container.
root=${LEVERET_IMAGE_ROOT:-}
if [ -n "$root" ]; then
    export PATH="$root/opt/rabbitmq/sbin:$PATH"
    export RABBITMQ_CONFIG_FILE="${RABBITMQ_CONFIG_FILE:-$root/etc/rabbitmq/rabbitmq.conf}"
    export RABBITMQ_CONFIG_FILES="${RABBITMQ_CONFIG_FILES:-$root/etc/rabbitmq/conf.d/*.conf}"
    export RABBITMQ_ENABLED_PLUGINS_FILE="${RABBITMQ_ENABLED_PLUGINS_FILE:-$root/etc/rabbitmq/enabled_plugins}"
    export RABBITMQ_MNESIA_BASE="${RABBITMQ_MNESIA_BASE:-$root/var/lib/rabbitmq/mnesia}"
fi

[ $# -gt 0 ] || set -- rabbitmq-server

if [ "$(id -u)" = 0 ]; then
    case $1 in
    rabbitmq*)
        if [ "$1" = rabbitmq-server ]; then
            # A volume belongs to root at first, or to the user of another image.
            find "$root/var/lib/rabbitmq" ! -user $uid -exec chown $uid:$gid {} +
        fi
        exec setpriv --reuid=$uid --regid=$gid --clear-groups "$0" "$@"
        ;;
    esac
fi

exec "$@"
