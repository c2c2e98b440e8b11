/**
 * The commands on channels as typed methods.
 *
 * @module
 */

import type { Argument } from "../wire/request_writer.ts";
import { toInteger, toPairs } from "./convert.ts";
import { Sender } from "./sender.ts";
import type { Key } from "./sender.ts";

/** The commands on channels. */
export abstract class ChannelCommands<Data> extends Sender<Data> {
  /** Sends a message to all subscribers of a channel. Returns how many there are. */
  async publish(channel: Key, message: Argument): Promise<number> {
    return toInteger(await this.send(["publish", channel, message]));
  }

  /** Returns the channels with subscribers: those that match a glob pattern, or all. */
  pubsub(what: "channels", pattern?: Key): Promise<Data[]>;
  /** Returns the numbers of subscribers of these channels, in their order. */
  pubsub(what: "numsub", ...channels: readonly Key[]): Promise<number[]>;
  /** Returns how many patterns have subscribers. */
  pubsub(what: "numpat"): Promise<number>;
  async pubsub(what: string, ...rest: readonly (Key | undefined)[]): Promise<Data[] | number[] | number> {
    const value = await this.send(["pubsub", what, ...rest.filter((item) => item !== undefined)]);
    if (what === "numpat") return toInteger(value);
    return what === "channels" ? this.toDataArray(value) : toPairs(value).map(([, count]) => toInteger(count));
  }
}
