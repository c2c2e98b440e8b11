/**
 * The observations of a role about the requests that it serves.
 *
 * ```text
 * request → countdown ──not over──────────────────────────────► run
 *               └────────over──► Instruments: begin ► run ► end        the timed path
 *                                             │            │
 *                                          (before)   command's histogram · latencies of all commands
 * ```
 *
 * Only the timed path feeds the parts that observe single requests, so they cost the other requests nothing. The
 * counters are exact.
 *
 * The reader's side:
 *
 * | fact | where |
 * |---|---|
 * | calls, time, failures of a command | `commands.calls(position)`, `.microseconds`, `.failed[]`, `.rejected[]`, `.buckets` |
 * | latency of all commands in the last 10 to 20 s | `quantileMs(0.99)` |
 * | requests, bytes a second | `commandsRate.perSecond`, `inputRate`, `outputRate` |
 * | bytes that clients have sent, and were sent | `traffic.inputBytes`, `traffic.outputBytes` |
 * | error replies by code | `errors.byCode`, `errors.total` |
 *
 * @module
 */

import { RATE_INTERVAL_MS, RATE_MARKS_COUNT, SLICE_MS, TRAFFIC_WINDOW_MS } from "../limits.ts";
import { ByteCounts } from "./byte_counts.ts";
import { CommandStats } from "./command_stats.ts";
import { ErrorCounts } from "./error_counts.ts";
import { Latencies } from "./latencies.ts";
import { LatencyEvents } from "./latency_events.ts";
import { type Monitor, Monitors } from "./monitors.ts";
import { Rate } from "./rate.ts";
import type { FindSecrets } from "./request_words.ts";
import { SlowLog } from "./slow_log.ts";

/** The observations of one role. */
export class Instruments {
  readonly commands: CommandStats;
  readonly errors: ErrorCounts = new ErrorCounts();
  /** The bytes that clients have sent, and that were sent to them. */
  readonly traffic: ByteCounts = new ByteCounts();
  /** The slow commands. */
  readonly slowLog: SlowLog;
  /** The events that took long. */
  readonly latency: LatencyEvents = new LatencyEvents();
  /** The clients that see each request. */
  readonly monitors: Monitors;
  /** Requests a second, over the last two seconds. */
  readonly commandsRate: Rate;
  /** Bytes a second that clients send, over the last two seconds. */
  readonly inputRate: Rate;
  /** Bytes a second that clients are sent, over the last two seconds. */
  readonly outputRate: Rate;
  readonly #latencies: Latencies;
  /** The observers that need every call. */
  readonly #needAll = new Set<string>();

  /**
   * @param commandsCount the number of commands in the catalog
   * @param nowMs the present, by the clock of {@linkcode sweep}
   * @param findSecrets finds the words of a request that must not be shown
   */
  constructor(commandsCount: number, nowMs: number, findSecrets: FindSecrets) {
    this.commands = new CommandStats(commandsCount);
    this.slowLog = new SlowLog(findSecrets);
    this.monitors = new Monitors(findSecrets, () => this.timeAllFor("monitor", this.monitors.count > 0));
    const makeRate = () => new Rate(nowMs, RATE_INTERVAL_MS, RATE_MARKS_COUNT);
    this.commandsRate = makeRate();
    this.inputRate = makeRate();
    this.outputRate = makeRate();
    this.#latencies = new Latencies(TRAFFIC_WINDOW_MS, nowMs);
  }

  /** Counts the duration of a call that was timed, and that represents `weight` calls. */
  add(position: number, durationMs: number, weight: number): void {
    this.commands.add(position, durationMs, weight);
    this.#latencies.add(durationMs, weight);
  }

  /** Ends the monitoring of a client, if it monitors. */
  endMonitor(client: { monitor: Monitor | undefined }): void {
    if (client.monitor === undefined) return;
    this.monitors.remove(client.monitor);
    client.monitor = undefined;
  }

  /**
   * Makes every call a timed one as long as one observer needs that: a monitor, or a threshold below a slice.
   *
   * @param observer a name for the observer that asks
   */
  timeAllFor(observer: string, needsAll: boolean): void {
    if (needsAll) this.#needAll.add(observer);
    else this.#needAll.delete(observer);
    const timesAll = this.#needAll.size > 0;
    if (timesAll !== this.commands.timesAll) this.commands.timesAll = timesAll;
  }

  /** Makes every call a timed one while a threshold is so low that otherwise some slow calls would be missed. */
  followThresholds(): void {
    const { slowLog: { thresholdUs }, latency: { thresholdMs } } = this;
    this.timeAllFor("slow log", thresholdUs >= 0 && thresholdUs < SLICE_MS * 1000);
    this.timeAllFor("latency", thresholdMs > 0 && thresholdMs < SLICE_MS);
  }

  /**
   * Returns the time in ms that the part `fraction` of all commands did not exceed in the last 10 to 20 s; `undefined`
   * when there were none.
   */
  quantileMs(fraction: number): number | undefined {
    return this.#latencies.quantile(fraction);
  }

  /**
   * Updates rates, windows and strides. It is called several times a second.
   *
   * @param requests the number of requests since the start or the last {@linkcode reset}
   */
  sweep(nowMs: number, requests: number): void {
    this.commands.sweep();
    this.#latencies.rotate(nowMs);
    this.commandsRate.update(nowMs, requests);
    this.inputRate.update(nowMs, this.traffic.inputBytes);
    this.outputRate.update(nowMs, this.traffic.outputBytes);
  }

  /** Sets everything to zero that `config resetstat` sets to zero in Redis. */
  reset(): void {
    this.commands.reset();
    this.errors.reset();
    this.#latencies.clear();
    this.traffic.inputBytes = this.traffic.outputBytes = 0;
    for (const rate of [this.commandsRate, this.inputRate, this.outputRate]) rate.reset();
  }
}
