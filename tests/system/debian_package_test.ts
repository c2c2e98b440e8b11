/**
 * Tests the Debian package of the binary that INMEM_BIN names under a real systemd: installed, used, upgraded, removed
 * and purged. It is left out without a binary, and where this machine does not permit it.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { basename, resolve } from "@std/path";
import { buildDeb } from "../../.packaging/deb.ts";
import { readExtras, SHELLS } from "../../.packaging/extras.ts";
import { canRun } from "../support/disks.ts";
import { canRunSystemd, runUnderSystemd } from "../support/systemd_sandbox.ts";

const binary = Deno.env.get("INMEM_BIN");
const isPossible = binary !== undefined && Deno.build.arch === "x86_64" && await canRun("dpkg-deb", "--version") &&
  await canRunSystemd();

/**
 * What the package goes through. Each step prints a line with its name, and then what is looked at.
 *
 * The services depend on nothing else of a whole system, which is not started here. Private devices, which a
 * kernel may not permit in namespaces, are left out.
 */
const SCRIPT = String.raw`
printf '#!/bin/sh\nexit 0\n' > /usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
for role in server proxy; do
  mkdir -p /run/systemd/system/inmem-$role.service.d
  printf '[Unit]\nDefaultDependencies=no\nWants=\nAfter=\n[Service]\nPrivateDevices=no\n' \
    > /run/systemd/system/inmem-$role.service.d/test.conf
done
systemctl daemon-reload
client() { su nobody -s /bin/sh -c "timeout 20 inmem client --ca /var/lib/inmem/ca.pem $*"; }
state() { for each in ActiveState StatusText NRestarts; do printf '%s|' "$(systemctl show --property=$each --value inmem-server)"; done; echo; }

echo '== installed'
timeout 60 dpkg -i /out/inmem.deb > /out/dpkg 2>&1 || cat /out/dpkg
systemctl is-enabled inmem-server inmem-proxy
state
client set greeting hello
stat -c '%a %U %n' /var/lib/inmem /var/lib/inmem/data /var/lib/inmem/ca.pem /var/lib/inmem/server.key
echo '== verified'
# Many containers leave out pages of the manual.
systemd-analyze verify inmem-server.service inmem-proxy.service 2>&1 | grep -v "Command 'man "
echo '== sandbox'
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/$(systemctl show --property=MainPID --value inmem-server)/status
echo '== proxy'
timeout 60 systemctl start inmem-proxy
client --addr 127.0.0.1:9444 get greeting
echo '== killed'
systemctl kill --signal=KILL inmem-server
for i in $(seq 100); do [ "$(state)" = 'active|Listening on 127.0.0.1:9443|1|' ] && break; sleep 0.1; done
state
client get greeting
echo '== stuck'
printf '[Service]\nWatchdogSec=1s\n' > /run/systemd/system/inmem-server.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart inmem-server
systemctl kill --signal=STOP inmem-server
for i in $(seq 100); do [ "$(state)" = 'active|Listening on 127.0.0.1:9443|1|' ] && break; sleep 0.1; done
state
client get greeting
echo '== upgraded'
printf '{ "addr": "127.0.0.1:9443", "max-clients": 77 }' > /etc/inmem/server.json
timeout 90 dpkg -i --force-confold /out/inmem.deb > /out/dpkg 2>&1 || cat /out/dpkg
state
client config get maxclients
client get greeting
systemctl is-active inmem-proxy
echo '== by hand'
systemctl stop inmem-server
setpriv --reuid=inmem --regid=inmem --clear-groups env -i XDG_STATE_HOME=/var/lib \
  $(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/inmem-server.service) 2> /out/by-hand &
for i in $(seq 100); do grep -qs 'listening on' /out/by-hand && break; sleep 0.1; done
client get greeting
kill -TERM $!
wait $!
echo "status $?"
systemctl start inmem-server
echo '== removed'
timeout 60 dpkg -r inmem > /out/dpkg 2>&1 || cat /out/dpkg
systemctl is-active inmem-server inmem-proxy
ls /etc/inmem /var/lib/inmem
command -v inmem
echo '== purged'
timeout 60 dpkg -P inmem > /out/dpkg 2>&1 || cat /out/dpkg
ls -d /etc/inmem /var/lib/inmem 2>&1
find /etc /usr /var -xdev -name '*inmem*' -not -path '/var/lib/dpkg/*' -not -path '/var/cache/man/*'
`;

Deno.test(
  `the Debian package lives and dies under systemd${isPossible ? "" : " (left out: it needs INMEM_BIN and root)"}`,
  { ignore: !isPossible },
  async () => {
    const folder = await Deno.makeTempDir();
    let output: string;
    try {
      const command = resolve(binary!);
      const epochS = 1_796_000_000;
      const extras = await readExtras([command], epochS);
      assertMatch(
        extras.manPages.find(([name]) => name === "inmem-server.1")![1],
        /^\.TH INMEM\\-SERVER 1 2026-11-30 /m,
      );
      assertEquals(Object.keys(extras.completions), [...SHELLS]);
      const deb = await buildDeb({
        binary: command,
        architecture: "amd64",
        version: "0.1.0",
        extras,
        epochS,
        compression: "none",
      }, folder);
      assertEquals(basename(deb), "inmem_0.1.0_amd64.deb");
      output = await runUnderSystemd(SCRIPT, { "inmem.deb": deb });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
    const steps = new Map(
      output.split(/^== /m).slice(1).map((part) => {
        const end = part.indexOf("\n");
        return [part.slice(0, end), part.slice(end + 1)];
      }),
    );
    assertEquals(
      steps.get("installed"),
      [
        ...["enabled", "disabled", "active|Listening on 127.0.0.1:9443|0|", "OK", "755 inmem /var/lib/inmem"],
        ...["700 inmem /var/lib/inmem/data", "644 inmem /var/lib/inmem/ca.pem", "600 inmem /var/lib/inmem/server.key"],
        "",
      ].join("\n"),
      output,
    );
    assertEquals(steps.get("verified"), "");
    assertMatch(steps.get("sandbox")!, /^CapEff:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2\n$/);
    assertEquals(steps.get("proxy"), "hello\n");
    for (const step of ["killed", "stuck"]) {
      assertEquals(steps.get(step), "active|Listening on 127.0.0.1:9443|1|\nhello\n", output);
    }
    assertEquals(
      steps.get("upgraded"),
      "active|Listening on 127.0.0.1:9443|0|\nmaxclients\n77\nhello\nactive\n",
      output,
    );
    assertEquals(steps.get("by hand"), "hello\nstatus 0\n", output);
    const removed = steps.get("removed")!;
    assert(removed.startsWith("inactive\ninactive\n"), removed);
    for (const kept of ["server.json", "servers.json", "ca.pem", "data"]) assertStringIncludes(removed, `${kept}\n`);
    assert(!removed.includes("/usr/bin/inmem"), removed);
    const purged = steps.get("purged")!.split("\n").filter((line) => line !== "");
    assertEquals(purged.length, 2, purged.join("\n"));
    for (const line of purged) assertStringIncludes(line, "No such file or directory");
  },
);
