"""What needs a mount namespace of its own: this machine's /etc and disks stay as they are."""

import json

# Runs the rest of its arguments with an /etc of its own, whose changes are in memory only.
OVER_ETC = """\
mount -t tmpfs none "$1" && mkdir "$1/new" "$1/work" && cp -R "$2" "$1/new/claude-code" &&
mount -t overlay -o "lowerdir=/etc,upperdir=$1/new,workdir=$1/work" overlay /etc &&
shift 2 && exec "$@"
"""
# The same with a small disk at a directory.
SMALL_DISK = 'mount -t tmpfs -o "mode=700,size=$2" none "$1" && shift 2 && exec "$@"'


def managed(place, settings, name="managed-settings.json"):
    """What to put before a client that is to find these managed settings."""
    content = place.directory / "managed"
    file = content / name
    file.parent.mkdir(parents=True)
    file.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    memory = place.directory / "etc"
    memory.mkdir()
    return [*own_mounts(OVER_ETC), memory, content]


def small_disk(directory, size):
    """What to put before a program that is to find a small disk there."""
    return [*own_mounts(SMALL_DISK), directory, size]


def own_mounts(shell):
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", shell, "sh"]
