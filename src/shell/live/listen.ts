/**
 * `subscribe`, `psubscribe` and `monitor` in the client: one line for each message, until it is stopped.
 *
 * | | a message | a request that `monitor` shows |
 * |---|---|---|
 * | on a terminal | `"channel" "message"`, quoted like replies | the server's line |
 * | raw | channel, tab, message, newline: the exact bytes | the server's line |
 * | `--json` | `{"channel":"…","message":"…"}`, also with `"pattern"` | `{"time":…,"database":0,"client":"…","command":[…]}` |
 *
 * A raw message may contain newlines. Programs that have to tell messages with newlines apart use `--json`.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import type { Value } from "../../client/client.ts";
import { commandOf } from "../../client/reply_delay.ts";
import { printableLine, quote } from "../../terminal/printable_text.ts";
import { formatReply } from "../format.ts";
import { tokenize } from "../tokenizer.ts";
import type { LiveView } from "./live_view.ts";
import type { Words } from "./live_words.ts";
import { type Message, type MessageSource, MessageStream } from "./message_stream.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;

/**
 * Shows the messages that a command asks for, until the view's tool shall end.
 *
 * @throws {ReplyError} when the server refuses the command or the password
 * @throws {ConnectionError} when the connection fails or is lost
 */
export async function listen(source: MessageSource, words: Words, view: LiveView): Promise<void> {
  using stream = await MessageStream.open(source, words, view.stop);
  if (stream === undefined) return;
  const show = commandOf(words)?.name === "monitor" ? showRequest : showMessage;
  let confirmedCount = 0;
  let messagesCount = 0;
  // The reader of the output may leave while there are no messages.
  view.output.failing.then(() => stream[Symbol.dispose]());
  while (!view.isOver) {
    const message = await stream.next().catch((error) => {
      if (view.isOver) return undefined;
      throw error;
    });
    if (message === undefined) break;
    if (isConfirmation(message)) {
      if (view.isTerminal && view.format === "human") view.print(confirmationOf(source, message, confirmedCount++));
      continue;
    }
    messagesCount++;
    view.output.add(show(message, view));
    await view.room();
  }
  if (view.isTerminal && view.format === "human") {
    view.print(view.colours.paint("faint", `(${messagesCount} ${messagesCount === 1 ? "message" : "messages"})`));
  }
}

/** Returns whether a message confirms the command: `+OK` of `monitor`, or an item with the number of subscriptions. */
function isConfirmation(message: Message): boolean {
  if (message.length === 1) return decodeText(message[0]!) === "OK";
  return /^[ps]?subscribe$/.test(decodeText(message[0]!));
}

function confirmationOf({ address }: MessageSource, message: Message, count: number): string {
  const ending = count === 0 ? ". Ctrl-C ends." : ".";
  if (message.length === 1) return `Monitoring ${printableLine(address)}${ending}`;
  return `Subscribed to ${quote(message[1]!)}${ending}`;
}

/** Formats `["message", channel, message]` or `["pmessage", pattern, channel, message]`. */
function showMessage(message: Message, { format, colours }: LiveView): string | Uint8Array {
  const channel = message.at(-2)!;
  const content = message.at(-1)!;
  switch (format) {
    case "human":
      return `${colours.paint("name", quote(channel))} ${quote(content)}\n`;
    case "json": {
      const facts: [string, Value][] = [["channel", copyOf(channel)], ["message", copyOf(content)]];
      if (message.length > 3) facts.unshift(["pattern", copyOf(message[1]!)]);
      return formatReply(new Map(facts.map(([name, value]) => [new TextEncoder().encode(name), value])), "json");
    }
    case "raw": {
      const line = new Uint8Array(channel.length + content.length + 2);
      line.set(channel);
      line[channel.length] = TAB;
      line.set(content, channel.length + 1);
      line[line.length - 1] = NEWLINE;
      return line;
    }
  }
}

/** Formats a line of `monitor`, such as `1700000000.123456 [0 127.0.0.1:50000] "get" "key"`. */
function showRequest([line]: Message, { format, colours }: LiveView): string | Uint8Array {
  const text = decodeText(line!);
  const [, time, database, client, words] = /^([0-9.]+) \[(\d+) (\S+)\] (.*)$/s.exec(text) ?? [];
  if (words === undefined || format === "raw") return `${format === "raw" ? text : printableLine(text)}\n`;
  if (format === "human") {
    const head = colours.paint("faint", `${time} [${database} ${printableLine(client!)}]`);
    return `${head} ${printableLine(words)}\n`;
  }
  const encoder = new TextEncoder();
  const facts = new Map<Value, Value>([
    [encoder.encode("time"), Number(time)],
    [encoder.encode("database"), Number(database)],
    [encoder.encode("client"), encoder.encode(client)],
    [encoder.encode("command"), tokenize(encoder.encode(words)).map(copyOf)],
  ]);
  return formatReply(facts, "json");
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
