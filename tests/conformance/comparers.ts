/**
 * Defines what of a reply the conformance tests compare.
 *
 * All bytes are compared, unless the command is in the table below. Such a reply has no defined order, or it reports
 * the time, memory or the connection itself.
 *
 * A comparer turns the frames of a reply into the part that must be equal on both sides.
 *
 * @module
 */

import { encodeFrame, type Frame } from "../support/resp_frames.ts";

type Comparer = (frames: readonly Frame[], words: readonly string[]) => readonly Frame[];

/** The comparers, by the first word of a command or by its first two. */
const COMPARERS: Readonly<Record<string, Comparer>> = {
  // These come in the order of a hash table.
  keys: each(sorted),
  hkeys: each(sorted),
  hvals: each(sorted),
  hgetall: each(sortedPairs),
  smembers: each(sorted),
  sinter: each(sorted),
  sunion: each(sorted),
  sdiff: each(sorted),
  // These reply with a cursor and elements. The scenarios ask for all elements in one reply, so the cursor is 0.
  scan: each((frame) => second(frame, sorted)),
  hscan: each((frame) => second(frame, sortedPairs)),
  sscan: each((frame) => second(frame, sorted)),
  "config get": each(sortedPairs),
  "command list": (frames, words) => frames.map(words.length > 2 ? sorted : typeOnly),
  "pubsub channels": each(sorted),
  unsubscribe: sortedNames,
  punsubscribe: sortedNames,
  // These are random, so form and count are compared. A scenario with one possible reply uses `hrandfield` instead of
  // `keys`.
  randomkey: each(shape),
  hrandfield: (frames, words) => frames.map(Number(words[2]) < 0 ? shape : sortedFields(words)),
  spop: ofRandomMembers,
  srandmember: ofRandomMembers,
  // These depend on the moment.
  time: each(withoutDigits),
  lastsave: each(withoutDigits),
  pttl: each(inSeconds),
  pexpiretime: each(inSeconds),
  "client id": each(withoutDigits),
  "client list": each(clientLines),
  "client info": each(clientLines),
  hello: each(withoutClientId),
  // A transaction may contain `hello`.
  exec: each((frame) => ({ ...frame, items: frame.items?.map(withoutClientId) })),
  "memory usage": each(withoutDigits),
  info: each(shape),
  // The text of documentation differs between servers. Its presence and form are compared.
  "command docs": each(firstItem),
  "client help": each(firstItem),
  "command help": each(firstItem),
  "config help": each(firstItem),
  "debug help": each(firstItem),
  "memory help": each(firstItem),
  "module help": each(firstItem),
  "slowlog help": each(firstItem),
  "slowlog get": each(slowEntries),
  "latency help": each(firstItem),
  "latency history": each(shape),
  "latency histogram": each(withoutTimes),
  "object help": each(firstItem),
  "pubsub help": each(firstItem),
  "command count": each(withoutDigits),
  "command info": (frames, words) => frames.map(words.length > 2 ? commandFacts : typeOnly),
  command: each(typeOnly),
  // No command of this step asked for these frames: they are messages.
  "": (frames) => sortedMessages(frames.map(withoutMoment)),
};

/** Returns the part of a command's reply that must be equal on both sides. */
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

/** Returns a frame with its elements in the order of their bytes. */
function sorted(frame: Frame): Frame {
  return { ...frame, items: frame.items?.toSorted((left, right) => byBytes([left], [right])) };
}

/** Returns a frame with its pairs of key and value, flat or a map, in the order of the keys' bytes. */
function sortedPairs(frame: Frame): Frame {
  const items = frame.items ?? [];
  const pairs = Array.from({ length: Math.ceil(items.length / 2) }, (_, i) => items.slice(2 * i, 2 * i + 2));
  return { ...frame, items: pairs.sort(byBytes).flat() };
}

/** Returns a function that sorts fields, or fields with values, which are flat in RESP2 and nested in RESP3. */
function sortedFields(words: readonly string[]): (frame: Frame) => Frame {
  return (frame) => words.length === 4 && frame.items?.[0]?.type !== "*" ? sortedPairs(frame) : sorted(frame);
}

/** The least count with which scenarios ask for all members of a set. */
const ALL_MEMBERS_COUNT = 100;

/** Compares members if they are all members of the set, otherwise form and count. */
function ofRandomMembers(frames: readonly Frame[], words: readonly string[]): readonly Frame[] {
  return frames.map(Number(words[2]) >= ALL_MEMBERS_COUNT ? sorted : shape);
}

/** Returns the words and the name of the client of each entry, since the others depend on the moment. */
function slowEntries(frame: Frame): Frame {
  return { ...frame, items: frame.items?.map((entry) => ({ ...entry, items: [entry.items![3]!, entry.items![5]!] })) };
}

/** Returns the commands and their calls, without the counts up to each time. */
function withoutTimes(frame: Frame): Frame {
  return {
    ...frame,
    items: frame.items?.map((item) => item.items === undefined ? item : { ...item, items: item.items.slice(0, 3) }),
  };
}

function second(frame: Frame, change: (frame: Frame) => Frame): Frame {
  return { ...frame, items: frame.items?.map((item, i) => i === 1 ? change(item) : item) };
}

/** Returns the types and counts of a frame without its content. */
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

/** Returns a frame without the digits of its numbers. */
function withoutDigits(frame: Frame): Frame {
  const mask = (text: string) => text.replace(/[0-9]+/g, "0");
  if (frame.items !== undefined) return { ...frame, items: frame.items.map(withoutDigits) };
  return frame.body === undefined
    ? { ...frame, line: mask(frame.line) }
    : { ...frame, line: "", body: mask(frame.body) };
}

/** Rounds times to minutes, since scenarios use times that are far apart. Negative times have a meaning and stay. */
function inSeconds(frame: Frame): Frame {
  const ms = Number(frame.line);
  return ms < 0 ? frame : { ...frame, line: String(Math.round(ms / 60_000)) };
}

/** The facts about a client that both sides know. Its address, age and memory differ. */
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

/** Flags of features that inmem lacks: scripts, replicas, a slow log, and commands during the loading of a dump. */
const FLAGS_OF_OTHERS = ["loading", "stale", "noscript", "allow_busy", "no_async_loading", "no_multi", "skip_slowlog"];

/**
 * Returns the name, arity, flags in any order, and key positions. Categories, hints and subcommands come after them.
 */
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

/** Sorts the confirmations of one command: their order is undefined when the command names no channel. */
function sortedNames(frames: readonly Frame[], words: readonly string[]): readonly Frame[] {
  if (words.length > 1 || frames.some(({ items }) => items?.length !== 3)) return frames;
  const names = frames.map(({ items }) => items![1]!).sort((left, right) => byBytes([left], [right]));
  return frames.map((frame, i) => ({ ...frame, items: [frame.items![0]!, names[i]!, frame.items![2]!] }));
}

/** Sorts the copies of one message that several patterns matched, whose order is undefined. */
function sortedMessages(frames: readonly Frame[]): readonly Frame[] {
  const byPattern = ({ items }: Frame) => items?.[0]?.body === "pmessage";
  const first = frames.findIndex(byPattern);
  if (first < 0 || !frames.slice(first).every(byPattern)) return frames;
  return [...frames.slice(0, first), ...frames.slice(first).sort((left, right) => byBytes([left], [right]))];
}

/** Returns a line of `monitor` without its time and the port of the client. Other frames stay as they are. */
function withoutMoment(frame: Frame): Frame {
  if (frame.type !== "+") return frame;
  return { ...frame, line: frame.line.replace(/^\+?[0-9.]+ \[0 [0-9.]+:[0-9]+\]/, "time [address]") };
}
