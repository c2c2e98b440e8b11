/**
 * The kernel's accounting of another process on Linux: the processor time of its main thread and its resident memory.
 *
 * ```text
 * /proc/PID/task/PID/schedstat   time on a core, time ready without one (both in ns), number of time slices
 * /proc/PID/status               VmRSS: resident now     VmHWM: the largest since the start, or since the last reset
 * /proc/PID/clear_refs           "5" resets VmHWM
 * ```
 *
 * The kernel updates schedstat of a thread on another core at the next timer interrupt, so a time may be 4 ms old. A
 * counter of perf_event_open(2), where the kernel permits it, has no such error.
 *
 * @module
 */

/** Measures how long one thread has run and how long it has waited for a core. Dispose of it after use. */
export class ThreadClock implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #counter: RunCounter | undefined;
  readonly #bytes = new Uint8Array(96);
  readonly #decoder = new TextDecoder();
  /** The time on a core at the last {@linkcode read}, in ms from an arbitrary start. */
  runningMs = 0;
  /** The time ready without a core at the last {@linkcode read}, in ms. */
  delayedMs = 0;

  private constructor(path: string, pid?: number) {
    this.#file = Deno.openSync(path);
    this.#counter = pid === undefined ? undefined : RunCounter.open(pid);
    this.read();
  }

  /** Returns the clock of a process's main thread. */
  static of(pid: number): ThreadClock {
    return new ThreadClock(`/proc/${pid}/task/${pid}/schedstat`, pid);
  }

  /** Returns the clock of the calling thread. */
  static own(): ThreadClock {
    return new ThreadClock("/proc/thread-self/schedstat");
  }

  /** Updates both times. They do not change after the thread has ended. */
  read(): void {
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      const count = this.#file.readSync(this.#bytes) ?? 0;
      const [running, delayed] = this.#decoder.decode(this.#bytes.subarray(0, count)).split(" ");
      this.runningMs = this.#counter?.readMs() ?? Number(running) / 1e6;
      this.delayedMs = Number(delayed) / 1e6;
    } catch {
      // The process has ended, so its last times are kept.
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#counter?.close();
  }
}

/** The numbers of the system call perf_event_open(2). */
const PERF_EVENT_OPEN: Readonly<Record<string, bigint>> = { x86_64: 298n, aarch64: 241n };
/** The size of struct perf_event_attr in its first version: `type:u32 size:u32 config:u64 …`. */
const ATTRIBUTES_BYTES = 64;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_TASK_CLOCK = 1n;
const PERF_FLAG_FD_CLOEXEC = 8n;

function openLibrary() {
  return Deno.dlopen("libc.so.6", {
    syscall: { parameters: ["i64", "buffer", "i32", "i32", "i32", "u64"], result: "i64" },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  }).symbols;
}

/** The kernel's counter of the time that a thread has run. It is exact at any moment. Containers may forbid it. */
class RunCounter {
  static #library: ReturnType<typeof openLibrary> | undefined;
  readonly #descriptor: number;
  readonly #value = new BigUint64Array(1);

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Returns a counter of a thread, or `undefined` if there is none. */
  static open(thread: number): RunCounter | undefined {
    const number = PERF_EVENT_OPEN[Deno.build.arch];
    if (number === undefined) return undefined;
    const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_BYTES));
    attributes.setUint32(0, PERF_TYPE_SOFTWARE, true);
    attributes.setUint32(4, ATTRIBUTES_BYTES, true);
    attributes.setBigUint64(8, PERF_COUNT_SW_TASK_CLOCK, true);
    try {
      const { syscall } = RunCounter.#library ??= openLibrary();
      // The counter counts on any core and belongs to no group.
      const descriptor = Number(syscall(number, attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
      return descriptor < 0 ? undefined : new RunCounter(descriptor);
    } catch {
      // The C library is another one.
      return undefined;
    }
  }

  /** Returns the time since the counter was opened. */
  readMs(): number {
    RunCounter.#library!.read(this.#descriptor, this.#value, 8n);
    return Number(this.#value[0]!) / 1e6;
  }

  close(): void {
    RunCounter.#library!.close(this.#descriptor);
  }
}

/** Returns a size of `/proc/PID/status` in bytes, or 0 after the process has ended. */
function statusBytes(pid: number, name: "VmRSS" | "VmHWM"): number {
  try {
    const found = new RegExp(`^${name}:\\s*([0-9]+) kB$`, "m").exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Returns the resident memory of a process in bytes, or 0 after it has ended. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

/** Returns the largest resident memory since {@linkcode resetPeak} in bytes, or 0 after the process has ended. */
export function peakBytes(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

/** Restarts the measurement of the largest resident memory. Returns whether the kernel permits it. */
export function resetPeak(pid: number): boolean {
  try {
    Deno.writeTextFileSync(`/proc/${pid}/clear_refs`, "5", { create: false });
    return true;
  } catch {
    return false;
  }
}
