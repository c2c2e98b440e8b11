/**
 * What of a reply is compared: all its bytes, unless its command is in the table below, because its order is not defined,
 * or because it tells the time, memory, or who is asking.
 *
 * A comparer turns the frames that answer a command into what has to be the same on both sides.
 *
 * @module
 */

import { encodeFrame, type Frame } from "./resp_frames.ts";

type Comparer = (frames: readonly Frame[], words: readonly string[]) => readonly Frame[];

/** By the first word of a command, or by its first two. */
const COMPARERS: Readonly<Record<string, Comparer>> = {
  // In the order of a hash table.
  keys: each(sorted),
  hkeys: each(sorted),
  hvals: each(sorted),
  hgetall: each(sortedPairs),
  // Cursor and elements. Scenarios ask for all at once, so that the cursor is 0.
  scan: each((frame) => second(frame, sorted)),
  hscan: each((frame) => second(frame, sortedPairs)),
  "config get": each(sortedPairs),
  "command list": (frames, words) => frames.map(words.length > 2 ? sorted : typeOnly),
  "pubsub channels": each(sorted),
  unsubscribe: sortedNames,
  punsubscribe: sortedNames,
  // By chance: what it looks like, and how many. Scenarios with one possible answer use `hrandfield` in `keys`' stead.
  randomkey: each(shape),
  hrandfield: (frames, words) => frames.map(Number(words[2]) < 0 ? shape : sortedFields(words)),
  // Of the moment.
  time: each(withoutDigits),
  lastsave: each(withoutDigits),
  pttl: each(inSeconds),
  pexpiretime: each(inSeconds),
  "client id": each(withoutDigits),
  "client list": each(clientLines),
  "client info": each(clientLines),
  hello: each(withoutClientId),
  // A transaction may greet.
  exec: each((frame) => ({ ...frame, items: frame.items?.map(withoutClientId) })),
  "memory usage": each(withoutDigits),
  info: each(shape),
  // What documentation says is each server's own; that it is given, and in which form, is compared.
  "command docs": each(firstItem),
  "client help": each(firstItem),
  "command help": each(firstItem),
  "config help": each(firstItem),
  "debug help": each(firstItem),
  "memory help": each(firstItem),
  "object help": each(firstItem),
  "pubsub help": each(firstItem),
  "command count": each(withoutDigits),
  "command info": (frames, words) => frames.map(words.length > 2 ? commandFacts : typeOnly),
  command: each(typeOnly),
  // Frames that no command of this step has asked for: messages.
  "": sortedMessages,
};

/** What has to be the same on both sides of what answered a command. */
export function comparable(frames: readonly Frame[], words: readonly string[]): string {
  const [first = "", second = ""] = words.map((word) => word.toLowerCase());
  const comparer = COMPARERS[`${first} ${second}`] ?? COMPARERS[first];
  const failed = frames.some(({ type }) => "-!".includes(type));
  return (failed ? frames : comparer?.(frames, words) ?? frames).map(encodeFrame).join("");
}

function each(change: (frame: Frame) => Frame): Comparer {
  return (frames) => frames.map(change);
}

function byBytes(left: readonly Frame[], right: readonly Frame[]): number {
  const [first, second] = [left, right].map((frames) => frames.map(encodeFrame).join(""));
  return first! < second! ? -1 : first! > second! ? 1 : 0;
}

/** The elements in the order of their bytes. */
function sorted(frame: Frame): Frame {
  return { ...frame, items: frame.items?.toSorted((left, right) => byBytes([left], [right])) };
}

/** Keys with their values, flat or as a map, in the order of the keys' bytes. */
function sortedPairs(frame: Frame): Frame {
  const items = frame.items ?? [];
  const pairs = Array.from({ length: Math.ceil(items.length / 2) }, (_, i) => items.slice(2 * i, 2 * i + 2));
  return { ...frame, items: pairs.sort(byBytes).flat() };
}

/** Fields, or fields with values: flat in RESP2, nested in RESP3. */
function sortedFields(words: readonly string[]): (frame: Frame) => Frame {
  return (frame) => words.length === 4 && frame.items?.[0]?.type !== "*" ? sortedPairs(frame) : sorted(frame);
}

function second(frame: Frame, change: (frame: Frame) => Frame): Frame {
  return { ...frame, items: frame.items?.map((item, i) => i === 1 ? change(item) : item) };
}

/** Types and counts, without content. */
function shape(frame: Frame): Frame {
  if (frame.items !== undefined) return { ...frame, items: frame.items.map(shape) };
  return frame.body === undefined ? { ...frame, line: "" } : { ...frame, line: "", body: "" };
}

function firstItem(frame: Frame): Frame {
  return { ...frame, line: "", items: frame.items?.slice(0, 1) };
}

function typeOnly(frame: Frame): Frame {
  return { type: frame.type, line: "" };
}

/** Numbers of any size are as good as each other. */
function withoutDigits(frame: Frame): Frame {
  const mask = (text: string) => text.replace(/[0-9]+/g, "0");
  if (frame.items !== undefined) return { ...frame, items: frame.items.map(withoutDigits) };
  return frame.body === undefined
    ? { ...frame, line: mask(frame.line) }
    : { ...frame, line: "", body: mask(frame.body) };
}

/** Half a minute is as good as none: scenarios use times far apart. Negative ones mean something and stay. */
function inSeconds(frame: Frame): Frame {
  const ms = Number(frame.line);
  return ms < 0 ? frame : { ...frame, line: String(Math.round(ms / 60_000)) };
}

/** The facts about a client which both sides know; its address, age and memory are its own. */
const CLIENT_FACTS = ["name", "flags", "db", "sub", "psub", "multi", "cmd", "user", "resp"];

function clientLines(frame: Frame): Frame {
  const lines = (frame.body ?? "").split("\n").map((line) => {
    const facts = line.split(" ").filter((fact) => CLIENT_FACTS.includes(fact.split("=")[0]!));
    return facts.join(" ");
  });
  return { ...frame, line: "", body: lines.sort().join("\n") };
}

function withoutClientId(frame: Frame): Frame {
  const items = frame.items?.map((item, i) => frame.items?.[i - 1]?.body === "id" ? { ...item, line: "0" } : item);
  return { ...frame, items };
}

/** Flags about what inmem has not: scripts, replicas, a slow log, and commands while a dump is loaded. */
const FLAGS_OF_OTHERS = ["loading", "stale", "noscript", "allow_busy", "no_async_loading", "no_multi", "skip_slowlog"];

/** Name, arity, flags in any order, and the positions of keys; what follows are categories, hints and subcommands. */
function commandFacts(frame: Frame): Frame {
  return {
    ...frame,
    items: frame.items?.map(({ items, ...rest }) => ({ ...rest, items: items?.slice(0, 6).map(flags) })),
  };
}

function flags(frame: Frame): Frame {
  if (frame.items === undefined) return frame;
  const items = frame.items.filter(({ line }) => !FLAGS_OF_OTHERS.includes(line));
  return sorted({ ...frame, line: "", items });
}

/** Several confirmations of one command: their names may come in any order when the command named none. */
function sortedNames(frames: readonly Frame[], words: readonly string[]): readonly Frame[] {
  if (words.length > 1 || frames.some(({ items }) => items?.length !== 3)) return frames;
  const names = frames.map(({ items }) => items![1]!).sort((left, right) => byBytes([left], [right]));
  return frames.map((frame, i) => ({ ...frame, items: [frame.items![0]!, names[i]!, frame.items![2]!] }));
}

/** One message that came by several patterns: in any order among these. */
function sortedMessages(frames: readonly Frame[]): readonly Frame[] {
  const byPattern = ({ items }: Frame) => items?.[0]?.body === "pmessage";
  const first = frames.findIndex(byPattern);
  if (first < 0 || !frames.slice(first).every(byPattern)) return frames;
  return [...frames.slice(0, first), ...frames.slice(first).sort((left, right) => byBytes([left], [right]))];
}
