"""Podman with a store of its own, so that nothing of the machine's containers is seen or touched.

The options are those that also work where nested user namespaces, overlayfs or systemd are not to
be had: vfs, runc, cgroupfs, and small resource limits.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import rig

LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
CONFINED = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"]


class Podman:
    """A store, and the containers started in it; `close` removes both."""

    def __init__(self):
        # Short, because it holds unix sockets, whose paths are limited to 107 bytes.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="toolgate-topology-"))
        self.prefix = f"toolgate-topology-{os.getpid()}"
        self.base = ["podman", "--storage-driver", "vfs", "--runtime", "runc"]
        self.base += ["--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        for flag in ("root", "runroot", "tmpdir"):
            self.base += [f"--{flag}", str(self.directory / flag)]

    def container(self, name):
        return f"{self.prefix}-{name}"

    def start(self, name, options, words):
        """Starts a container in the background."""
        log = ["--log-driver", "k8s-file"]
        name = ["--name", self.container(name)]
        self.must("run", "--detach", *name, *log, *LIMITS, *CONFINED, *options, *words)

    def foreground(self, name, options, words):
        """The command line of a container that ends with its caller's patience."""
        name = ["--name", self.container(name)]
        return [*self.base, "run", "--rm", *name, *LIMITS, *CONFINED, *options, *words]

    def image(self, name, directory):
        """An image with nothing in it but the files of `directory`, the first as entry point."""
        files = sorted(path.name for path in directory.iterdir())
        copies = "".join(f"COPY {file} /{file}\n" for file in files)
        recipe = f'FROM scratch\n{copies}ENTRYPOINT ["/{files[0]}"]\n'
        self.must("build", "--quiet", "--tag", name, "--file", "-", str(directory), text=recipe)

    def must(self, *words, text=""):
        code, out, error = rig.run([*self.base, *words], text)
        if code != 0:
            raise rig.RigError(f"podman {words[0]}: {error.strip()}")
        return out

    def logs(self, name):
        """What the container wrote; nothing if it was never made."""
        code, out, error = rig.run([*self.base, "logs", self.container(name)])
        return out + error if code == 0 else ""

    def state(self, name, field):
        form = f"{{{{.State.{field}}}}}"
        return self.must("inspect", "--format", form, self.container(name)).strip()

    def close(self):
        """Removes every container, then the store; says what stayed."""
        try:
            self.must("rm", "--all", "--force", "--time", "0")
            left = self.must("ps", "--all", "--quiet").split()
        except (rig.RigError, subprocess.SubprocessError) as error:
            left = [str(error)]
        for mount in reversed(mounts_below(self.directory)):
            rig.run(["umount", mount])
        shutil.rmtree(self.directory, ignore_errors=True)
        return left


def mounts_below(directory):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in lines]
    return [point for point in points if point.startswith(f"{directory}/")]
