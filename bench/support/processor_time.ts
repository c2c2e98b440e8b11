/**
 * How long processes have run: all their threads, in the program and in the kernel for it. Linux only.
 *
 * ```text
 * /proc/stat       cpu  user nice system idle iowait irq softirq steal …      of all cores together
 * /proc/PID/stat   PID (name) state … utime stime cutime cstime …             c: of children that have ended
 * ```
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
