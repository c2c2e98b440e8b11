/**
 * The commands that show what takes long as typed methods.
 *
 * @module
 */

import { toInteger, toItems, toNothing, toPairs, toWord, toWords } from "./convert.ts";
import { Sender } from "./sender.ts";

/** A command that took long, as {@linkcode DiagnosisCommands.slowlog} returns it. */
export interface SlowCommand<Data> {
  /** A number that no other entry of the same server has. */
  id: number;
  /** When the command ended, in whole seconds as milliseconds since 1970. */
  timeMs: number;
  /** The time that the command took, in microseconds. */
  durationUs: number;
  /** The command's name and its arguments. Long ones are cut, and secrets are replaced by `(redacted)`. */
  words: Data[];
  /** The `host:port` of the client. */
  address: string;
  /** The name of the client; empty if it has none. */
  clientName: string;
}

/** A kind of event that took long, as {@linkcode DiagnosisCommands.latency} returns it. */
export interface LatencyEvent {
  /** The name of the kind, such as `command` or `aof-fsync`. */
  name: string;
  /** When the latest one was recorded, in whole seconds as milliseconds since 1970. */
  timeMs: number;
  /** The duration of the latest one, in whole ms. */
  latestMs: number;
  /** The longest one since the last reset. */
  longestMs: number;
}

/** The longest event of one second. */
export interface LatencyMoment {
  /** The second as milliseconds since 1970. */
  timeMs: number;
  /** The duration of that event, in whole ms. */
  durationMs: number;
}

/** The durations of the calls of one command. */
export interface LatencyHistogram {
  /** The number of calls. */
  calls: number;
  /** The number of calls that took at most this number of microseconds, by that number. */
  atMostUs: Map<number, number>;
}

/** The commands that show what takes long. Through a proxy they concern all servers. */
export abstract class DiagnosisCommands<Data> extends Sender<Data> {
  /** Returns the commands that took long, the newest first: 10 of them, or `count`, or all if that is -1. */
  slowlog(what: "get", count?: number): Promise<SlowCommand<Data>[]>;
  /** Returns the number of entries. */
  slowlog(what: "len"): Promise<number>;
  /** Forgets all entries. */
  slowlog(what: "reset"): Promise<void>;
  async slowlog(what: string, count?: number) {
    const value = await this.send(["slowlog", what, ...count === undefined ? [] : [count]]);
    if (what === "len") return toInteger(value);
    if (what === "reset") return toNothing(value);
    return toItems(value).map((entry) => {
      const [id = null, seconds = null, durationUs = null, words = null, address = null, name = null] = toItems(entry);
      return {
        id: toInteger(id),
        timeMs: toInteger(seconds) * 1000,
        durationUs: toInteger(durationUs),
        words: toItems(words).map((word) => this.toData(word)),
        address: toWord(address),
        clientName: toWord(name),
      };
    });
  }

  /** Returns the kinds of events that took longer than the setting `latency-monitor-threshold`. */
  latency(what: "latest"): Promise<LatencyEvent[]>;
  /** Returns the last events of one kind by time, the longest of each second. */
  latency(what: "history", event: string): Promise<LatencyMoment[]>;
  /** Returns a drawing of these, as text in lines. */
  latency(what: "graph", event: string): Promise<string>;
  /** Returns advice about the events, as text in lines. */
  latency(what: "doctor"): Promise<string>;
  /** Forgets the events of some kinds, or of all. Returns how many kinds there were. */
  latency(what: "reset", ...events: readonly string[]): Promise<number>;
  /** Returns how long the calls of some commands took, or of all. */
  latency(what: "histogram", ...commands: readonly string[]): Promise<Map<string, LatencyHistogram>>;
  async latency(what: string, ...names: readonly string[]) {
    const value = await this.send(["latency", what, ...names]);
    switch (what) {
      case "latest":
        return toItems(value).map((row) => {
          const [name = null, seconds = null, latestMs = null, longestMs = null] = toItems(row);
          return {
            name: toWord(name),
            timeMs: toInteger(seconds) * 1000,
            latestMs: toInteger(latestMs),
            longestMs: toInteger(longestMs),
          };
        });
      case "history":
        return toItems(value).map((row) => {
          const [seconds, durationMs] = toItems(row).map(toInteger);
          return { timeMs: seconds! * 1000, durationMs: durationMs! };
        });
      case "reset":
        return toInteger(value);
      case "histogram":
        return toWords(value, (facts) => {
          const byName = toWords(facts, (fact) => fact);
          const bounds = toPairs(byName.get("histogram_usec") ?? null);
          return {
            calls: toInteger(byName.get("calls") ?? null),
            atMostUs: new Map(bounds.map(([boundUs, count]) => [toInteger(boundUs), toInteger(count)])),
          };
        });
      default:
        return toWord(value);
    }
  }

  /** Returns the role of the server, which is `master`. */
  async role(): Promise<string> {
    return toWord(toItems(await this.send(["role"]))[0] ?? null);
  }
}
