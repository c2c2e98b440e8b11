/**
 * Measures how long processes and threads have run. This works on Linux only; elsewhere the times of threads are by the
 * clock.
 *
 * The time of a process is that of all its threads, in the program and in the kernel:
 *
 * ```text
 * /proc/stat       cpu  user nice system idle iowait irq softirq steal …      of all cores together
 * /proc/PID/stat   PID (name) state … utime stime cutime cstime …             c: of children that have ended
 * ```
 *
 * On a shared machine, a clock includes the time of other processes: an idle loop is delayed by 5 to 40 ms now and
 * then. The kernel has better figures for the calling thread:
 *
 * ```text
 * by the clock  =  running  +  ready, while others run  +  blocked: for input, a timer, a lock
 *                  └ threadTimeMs    └ threadDelayMs
 * ```
 *
 * Running is a thread's own work, including page faults.
 *
 * @module
 */

/** The duration of USER_HZ in ms. USER_HZ is 100, regardless of the kernel's own unit. */
const TICK_MS = 10;
/** The field utime, which proc(5) numbers 14. The first two fields are cut, since a name may contain spaces. */
const UTIME = 14 - 3;
/**
 * The fields of the machine's time that are work: user, nice, system, and the time that its host has given to others.
 */
const WORK_COLUMNS = [0, 1, 2, 7];

/** Returns the time that a process has run so far, in ms, to the hundredth of a second. */
export async function processorTimeMs(pid: number): Promise<number> {
  const [user, system] = await processFields(String(pid));
  return (user! + system!) * TICK_MS;
}

/** Returns the time that this process and its ended children have run so far, in ms. */
export async function ownTimeMs(): Promise<number> {
  return (await processFields("self")).reduce((sum, ticks) => sum + ticks, 0) * TICK_MS;
}

async function processFields(name: string): Promise<number[]> {
  const stat = await Deno.readTextFile(`/proc/${name}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(UTIME, UTIME + 4).map(Number);
}

/** Returns the time that all processes have run so far, on all cores, in ms. */
export async function machineTimeMs(): Promise<number> {
  const [line] = (await Deno.readTextFile("/proc/stat")).split("\n", 1);
  const columns = line!.split(/ +/).slice(1).map(Number);
  return WORK_COLUMNS.reduce((sum, column) => sum + columns[column]!, 0) * TICK_MS;
}

/** The clock of the calling thread for clock_gettime, on Linux. */
const CLOCK_THREAD_CPUTIME_ID = 3;

/** Returns how long the calling thread has run, in ms, to the nanosecond. A call takes half a microsecond. */
export const threadTimeMs: () => number = openThreadClock() ?? (() => performance.now());

/** Returns how long the calling thread was ready and did not run, in ms. A call takes five microseconds. */
export const threadDelayMs: () => number = openDelays() ?? (() => 0);

function openThreadClock(): (() => number) | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
    });
    // This is struct timespec: seconds and nanoseconds, of 64 bits each. The lower half of each is more than a thread's
    // lifetime.
    const time = new Uint32Array(4);
    return () => {
      symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, time);
      return time[0]! * 1e3 + time[2]! / 1e6;
    };
  } catch {
    // The C library is another one, or there is no permission.
    return undefined;
  }
}

/** Opens the file that contains: time running, time ready (both in ns), number of time slices. */
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
