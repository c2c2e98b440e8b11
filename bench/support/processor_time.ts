/**
 * How long processes and threads have run. Linux only; what else is said of a thread elsewhere is by the clock.
 *
 * The time of a process is that of all its threads, in the program and in the kernel for it:
 *
 * ```text
 * /proc/stat       cpu  user nice system idle iowait irq softirq steal …      of all cores together
 * /proc/PID/stat   PID (name) state … utime stime cutime cstime …             c: of children that have ended
 * ```
 *
 * On a machine that is shared, a clock tells how long something took together with whatever else ran meanwhile: a loop that
 * does nothing is held up by 5 to 40 ms now and then. The kernel knows better of the calling thread:
 *
 * ```text
 * by the clock  =  running  +  ready, while others run  +  blocked: for input, a timer, a lock
 *                  └ threadTimeMs    └ threadDelayMs
 * ```
 *
 * Running is a thread's own work, page faults included.
 *
 * @module
 */

/** USER_HZ, which is 100 whatever the kernel counts in. */
const TICK_MS = 10;
/** proc(5) numbers the fields of a process: 14 is utime. The first two are cut, since a name may have spaces. */
const UTIME = 14 - 3;
/** What of the machine's time is work: user, nice, system, and what its host has given to others. */
const WORK_COLUMNS = [0, 1, 2, 7];

/** Time that a process has run so far, in ms, to the hundredth of a second. */
export async function processorTimeMs(pid: number): Promise<number> {
  const [user, system] = await processFields(String(pid));
  return (user! + system!) * TICK_MS;
}

/** Time that this process and those that it has started and that have ended have run so far, in ms. */
export async function ownTimeMs(): Promise<number> {
  return (await processFields("self")).reduce((sum, ticks) => sum + ticks, 0) * TICK_MS;
}

async function processFields(name: string): Promise<number[]> {
  const stat = await Deno.readTextFile(`/proc/${name}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(UTIME, UTIME + 4).map(Number);
}

/** Time that all processes have run so far, on all cores, in ms. */
export async function machineTimeMs(): Promise<number> {
  const [line] = (await Deno.readTextFile("/proc/stat")).split("\n", 1);
  const columns = line!.split(/ +/).slice(1).map(Number);
  return WORK_COLUMNS.reduce((sum, column) => sum + columns[column]!, 0) * TICK_MS;
}

/** clock_gettime: the time of the calling thread. A number of Linux. */
const CLOCK_THREAD_CPUTIME_ID = 3;

/** Tells how long the calling thread has run, in ms, to the nanosecond. Half a microsecond a call. */
export const threadTimeMs: () => number = openThreadClock() ?? (() => performance.now());

/** Tells how long the calling thread was ready and did not run, in ms. Five microseconds a call. */
export const threadDelayMs: () => number = openDelays() ?? (() => 0);

function openThreadClock(): (() => number) | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
    });
    // struct timespec: seconds and nanoseconds, 64 bits each. Half of each is more than a thread lives.
    const time = new Uint32Array(4);
    return () => {
      symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, time);
      return time[0]! * 1e3 + time[2]! / 1e6;
    };
  } catch {
    // Another C library, or no permission.
    return undefined;
  }
}

/** The file says: time running, time ready (both in ns), number of turns. */
function openDelays(): (() => number) | undefined {
  try {
    const file = Deno.openSync("/proc/thread-self/schedstat");
    const decoder = new TextDecoder();
    const bytes = new Uint8Array(64);
    return () => {
      file.seekSync(0, Deno.SeekMode.Start);
      const count = file.readSync(bytes) ?? 0;
      return Number(decoder.decode(bytes.subarray(0, count)).split(" ")[1]) / 1e6;
    };
  } catch {
    return undefined;
  }
}
