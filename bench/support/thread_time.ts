/**
 * Where the time of the calling thread goes.
 *
 * On a machine that is shared, a clock tells how long something took together with whatever else ran meanwhile: a loop that
 * does nothing is held up by 5 to 40 ms now and then. The kernel knows better:
 *
 * ```text
 * by the clock  =  running  +  ready, while others run  +  blocked: for input, a timer, a lock
 *                  └ threadTimeMs    └ threadDelayMs
 * ```
 *
 * Running is a thread's own work, page faults included. Linux only; elsewhere all of the clock's time counts as running.
 *
 * @module
 */

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
