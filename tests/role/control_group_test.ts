/** Tests the memory limit of the process's control group, on machines described by the contents of their files. */

import { assertEquals } from "@std/assert";
import { controlGroupLimit } from "../../src/role/control_group.ts";

const MB = 1024 * 1024;
/** The number that version 1 writes for no limit. */
const NONE = "9223372036854771712\n";

/** Returns a machine with these files. All others cannot be read. */
function limitWith(files: Readonly<Record<string, string>>): number {
  return controlGroupLimit((path) => files[path]);
}

const V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
const V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

Deno.test("controlGroupLimit() finds the limit of the process's group in version 1", () => {
  const files = {
    "/proc/self/cgroup": "8:pids:/other\n4:memory:/a/b\n1:name=systemd:/\n",
    "/proc/self/mountinfo": `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n${V1_MOUNT}`,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": NONE,
    "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": NONE,
    "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": `${256 * MB}\n`,
    "/sys/fs/cgroup/memory/other/memory.limit_in_bytes": "1\n",
  };
  assertEquals(limitWith(files), 256 * MB);
});

Deno.test("controlGroupLimit() applies the limit of a group above, such as a slice's, in both versions", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "4:memory:/system.slice/inmem.service\n",
      "/proc/self/mountinfo": V1_MOUNT,
      "/sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes": `${300 * MB}\n`,
      "/sys/fs/cgroup/memory/system.slice/inmem.service/memory.limit_in_bytes": NONE,
    }),
    300 * MB,
  );
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/system.slice/inmem.service\n",
      "/proc/self/mountinfo": V2_MOUNT,
      "/sys/fs/cgroup/system.slice/memory.max": `${300 * MB}\n`,
      "/sys/fs/cgroup/system.slice/inmem.service/memory.max": "max\n",
      "/sys/fs/cgroup/system.slice/inmem.service/memory.high": "max\n",
    }),
    300 * MB,
  );
});

Deno.test("controlGroupLimit() returns the least of all levels, and treats memory.high as a limit", () => {
  const files = {
    "/proc/self/cgroup": "0::/a/b/c\n",
    "/proc/self/mountinfo": V2_MOUNT,
    "/sys/fs/cgroup/a/memory.max": `${900 * MB}\n`,
    "/sys/fs/cgroup/a/b/memory.max": `${500 * MB}\n`,
    "/sys/fs/cgroup/a/b/c/memory.max": `${700 * MB}\n`,
  };
  assertEquals(limitWith(files), 500 * MB);
  assertEquals(limitWith({ ...files, "/sys/fs/cgroup/a/memory.high": `${400 * MB}\n` }), 400 * MB);
});

Deno.test("controlGroupLimit() reads both hierarchies of a hybrid machine", () => {
  const files = {
    "/proc/self/cgroup": "4:memory:/m\n0::/u\n",
    "/proc/self/mountinfo": `${V1_MOUNT}41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n`,
    "/sys/fs/cgroup/memory/m/memory.limit_in_bytes": `${128 * MB}\n`,
  };
  assertEquals(limitWith(files), 128 * MB);
  assertEquals(limitWith({ ...files, "/sys/fs/cgroup/unified/u/memory.max": `${64 * MB}\n` }), 64 * MB);
});

Deno.test("controlGroupLimit() in a container with a private namespace finds its group at the top of the mount", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": V2_MOUNT,
      "/sys/fs/cgroup/memory.max": `${512 * MB}\n`,
    }),
    512 * MB,
  );
});

Deno.test("controlGroupLimit() in a container whose group is bind-mounted finds it below the mount's root", () => {
  const mount = "90 80 0:32 /docker/0a1b /sys/fs/cgroup/memory ro,nosuid master:15 - cgroup cgroup rw,memory\n";
  const files = {
    "/proc/self/cgroup": "4:memory:/docker/0a1b\n",
    "/proc/self/mountinfo": mount,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${96 * MB}\n`,
  };
  assertEquals(limitWith(files), 96 * MB);
  const inner = {
    ...files,
    "/proc/self/cgroup": "4:memory:/docker/0a1b/inner\n",
    "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes": `${32 * MB}\n`,
  };
  assertEquals(limitWith(inner), 32 * MB);
  // A name that begins with the root's name is another group, so only the top of the mount is visible.
  assertEquals(limitWith({ ...inner, "/proc/self/cgroup": "4:memory:/docker/0a1bcd\n" }), 96 * MB);
});

Deno.test("controlGroupLimit() reads the upper mount where one covers another", () => {
  const over = "99 35 0:32 /g /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
  const files = {
    "/proc/self/cgroup": "4:memory:/g\n",
    "/proc/self/mountinfo": V1_MOUNT + over,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${128 * MB}\n`,
    // A group of the same name inside is not the process's group.
    "/sys/fs/cgroup/memory/g/memory.limit_in_bytes": `${MB}\n`,
  };
  assertEquals(limitWith(files), 128 * MB);
  // The hierarchy is hidden below another mount.
  const hidden = `${V1_MOUNT}99 31 0:50 / /sys/fs rw - tmpfs tmpfs rw\n`;
  assertEquals(limitWith({ ...files, "/proc/self/mountinfo": hidden }), Infinity);
});

Deno.test("controlGroupLimit() uses what version 1 reports of groups above the mount", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "4:memory:/kubepods/pod1/c\n",
      "/proc/self/mountinfo": "90 80 0:32 /kubepods/pod1/c /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": NONE,
      "/sys/fs/cgroup/memory/memory.stat": `cache 0\nhierarchical_memory_limit ${200 * MB}\ntotal_cache 0\n`,
    }),
    200 * MB,
  );
});

Deno.test("controlGroupLimit() reads paths with blanks, colons and escapes", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "7:cpu,memory:/my group/a:b\\c\n",
      "/proc/self/mountinfo":
        "35 31 0:32 /my\\040group /mnt/my\\040groups\\134x rw shared:1 - cgroup none rw,cpu,memory\n",
      "/mnt/my groups\\x/a:b\\c/memory.limit_in_bytes": `${77 * MB}\n`,
    }),
    77 * MB,
  );
});

Deno.test("controlGroupLimit() does not leave the namespace, and finds no limit without files", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/../other\n",
      "/proc/self/mountinfo": V2_MOUNT,
      "/sys/fs/cgroup/memory.max": `${50 * MB}\n`,
      "/sys/fs/cgroup/../other/memory.max": "1\n",
    }),
    50 * MB,
  );
  assertEquals(limitWith({}), Infinity);
  assertEquals(limitWith({ "/proc/self/cgroup": "4:memory:/a\n" }), Infinity);
  assertEquals(
    limitWith({ "/proc/self/cgroup": "4:memory:/a\n", "/proc/self/mountinfo": "nonsense\n - \n" }),
    Infinity,
  );
  assertEquals(limitWith({ "/proc/self/cgroup": "nonsense", "/proc/self/mountinfo": V1_MOUNT }), Infinity);
  // The group is not listed, and the limit is not a number.
  assertEquals(
    limitWith({ "/proc/self/mountinfo": V2_MOUNT, "/sys/fs/cgroup/memory.max": `${40 * MB}\n` }),
    40 * MB,
  );
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/\n",
      "/proc/self/mountinfo": V2_MOUNT,
      "/sys/fs/cgroup/memory.max": "-1 apples\n",
    }),
    Infinity,
  );
});
