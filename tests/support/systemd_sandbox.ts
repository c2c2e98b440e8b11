/**
 * Runs a script under a real systemd, on a machine that has another one or none: in namespaces, on an overlay of the
 * root, so that nothing of the machine changes.
 *
 * ```text
 * a control group       a folder of its own below the machine's cgroup2
 * mounts                overlay of / on memory; /proc, /sys, /run and /dev of its own
 * processes             systemd is number 1; its end ends them all
 * network               loopback only
 * /out                  a folder of the test
 * ```
 *
 * It needs root, and a kernel that permits all of this. In many containers it does not.
 *
 * @module
 */

import { join } from "@std/path";
import { canRun } from "./disks.ts";

const SYSTEMD = "/lib/systemd/systemd";
/** The time after which a script has to have ended, in ms. */
const TIMEOUT_MS = 180_000;

/** The part that runs in the machine's namespaces of processes. `$1` is the folder of the test. */
const OUTER = `set -e
GROUPS_FOLDER=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)
GROUP="$GROUPS_FOLDER/$NAME"
mkdir "$GROUP"
echo $$ > "$GROUP/cgroup.procs"
mount -t tmpfs tmpfs "$1/root"
mkdir "$1/root/upper" "$1/root/work" "$1/root/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/root/upper,workdir=$1/root/work" "$1/root/all"
exec unshare --pid --cgroup --fork bash -c "$INNER" inner "$1"
`;

/** The part that becomes systemd. */
const INNER = `set -e
R="$1/root/all"
mount -t proc proc "$R/proc"
mount -t sysfs sysfs "$R/sys"
mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
mount -t tmpfs tmpfs "$R/run"
mount -t tmpfs tmpfs "$R/dev" -o mode=755
for device in null zero full random urandom tty; do
  touch "$R/dev/$device"
  mount --bind "/dev/$device" "$R/dev/$device"
done
mkdir "$R/dev/shm" "$R/out"
mount -t tmpfs tmpfs "$R/dev/shm"
mount --bind "$1/out" "$R/out"
rm -f "$R"/etc/systemd/system/*.wants/*
cat > "$R/etc/systemd/system/script.service" <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /out/script
ExecStopPost=/bin/systemctl exit --force
StandardOutput=file:/out/log
StandardError=file:/out/log
UNIT
cd "$R"
mkdir -p old
pivot_root . old
cd /
umount -l /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin ${SYSTEMD} --system --unit=script.service
`;

/** Ends every process of the control group, and removes it with those in it, which systemd leaves. */
const CLEANUP = `GROUP="$(findmnt --noheadings --first-only --types cgroup2 --output TARGET)/$1"
[ -d "$GROUP" ] || exit 0
echo 1 > "$GROUP/cgroup.kill"
for attempt in $(seq 50); do
  find "$GROUP" -depth -type d -exec rmdir {} + 2> /dev/null && break
  sleep 0.1
done
`;

/**
 * Runs a bash script as root, started by systemd.
 *
 * @param files files that the script finds in `/out`, by name
 * @returns what the script printed; without any, what went wrong
 */
export async function runUnderSystemd(script: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-systemd-" });
  const group = `inmem-test-${crypto.randomUUID()}`;
  try {
    for (const name of ["root", "out"]) await Deno.mkdir(join(folder, name));
    await Deno.chmod(folder, 0o755);
    for (const [name, path] of Object.entries(files)) await Deno.copyFile(path, join(folder, "out", name));
    await Deno.writeTextFile(join(folder, "out", "script"), `ip link set lo up\n${script}`);
    const child = new Deno.Command("unshare", {
      args: ["--mount", "--uts", "--ipc", "--net", "--propagation", "private", "bash", "-c", OUTER, "outer", folder],
      env: { NAME: group, INNER },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    // systemd is the first process of its namespace, whose end ends all others.
    const timer = setTimeout(() => void cleanUp(group), TIMEOUT_MS);
    const { stderr } = await child.output();
    clearTimeout(timer);
    const printed = await Deno.readTextFile(join(folder, "out", "log")).catch(() => "");
    return printed === "" ? new TextDecoder().decode(stderr) : printed;
  } finally {
    await cleanUp(group);
    await Deno.remove(folder, { recursive: true });
  }
}

async function cleanUp(group: string): Promise<void> {
  await new Deno.Command("bash", { args: ["-c", CLEANUP, "cleanup", group], stdout: "null", stderr: "null" }).output();
}

/** Returns whether this machine permits all of it. */
export async function canRunSystemd(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  if (!await canRun("test", "-x", SYSTEMD) || !await canRun("unshare", "--mount", "true")) return false;
  return await runUnderSystemd("echo it runs").then((text) => text === "it runs\n", () => false);
}
