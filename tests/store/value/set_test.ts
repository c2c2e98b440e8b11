import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { FIELD_SIZE_MAX_BYTES, PACKED_ELEMENT_MAX_BYTES, PACKED_MAX_BYTES } from "../../../src/limits.ts";
import { Entries } from "../../../src/store/entries.ts";
import { Arena } from "../../../src/store/arena.ts";
import { Store } from "../../../src/store/store.ts";
import { MemberForm } from "../../../src/store/value/packed_members.ts";
import { SetLeaves } from "../../../src/store/value/set_leaves.ts";
import { amountOf } from "../../support/amount.ts";

const KEY = encodeText("set");
const SEED = [1, 2] as const;
const MEMBERS_COUNT = amountOf("MEMBERS", 8_000, 100_000);

const decoder = new TextDecoder("latin1");

/** A set in a store, and a `Set` that is changed in the same way. Texts have one byte per character. */
class Fixture {
  readonly store: Store;
  readonly model = new Set<string>();
  readonly #buffer = new Uint8Array(FIELD_SIZE_MAX_BYTES);

  constructor(memoryLimitBytes = 1 << 25) {
    this.store = new Store({ memoryLimitBytes, evicts: false, seed: SEED });
  }

  get entry(): number {
    return this.store.find(KEY, 0, KEY.length);
  }

  get encoding(): string {
    return this.store.sets.encoding(this.entry);
  }

  /** Adds members, and asserts that exactly the absent ones are added. */
  add(...members: readonly string[]): this {
    const { store, model } = this;
    for (const member of members) {
      const bytes = bytesOf(member);
      store.room.make(KEY.length + bytes.length, 2);
      // The member is not at the beginning of its buffer, as in a request.
      const buffer = new Uint8Array(bytes.length + 3);
      buffer.set(bytes, 3);
      const entry = store.sets.add(
        KEY,
        0,
        KEY.length,
        this.entry,
        buffer,
        3,
        bytes.length,
        new DataView(buffer.buffer),
      );
      assertEquals(entry, this.entry);
      assertEquals(store.sets.added, !model.has(member));
      model.add(member);
    }
    return this;
  }

  /** Removes members, and asserts that exactly the present ones are removed. */
  remove(...members: readonly string[]): this {
    const { store, model } = this;
    for (const member of members) {
      const bytes = bytesOf(member);
      const entry = store.sets.remove(this.entry, bytes, 0, bytes.length);
      assertEquals(store.sets.removed, model.delete(member));
      assertEquals(entry, this.entry);
      assertEquals(entry === 0, model.size === 0);
    }
    return this;
  }

  has(member: string): boolean {
    const bytes = bytesOf(member);
    return this.store.sets.has(this.entry, bytes, 0, bytes.length);
  }

  /** Returns the member at the cursor. */
  member(): string {
    const { sets } = this.store;
    const length = sets.memberLength();
    this.#buffer.fill(0xee);
    sets.copyMember(this.#buffer, 0);
    if (length < this.#buffer.length) assertEquals(this.#buffer[length], 0xee, "a byte after the member was written");
    return decoder.decode(this.#buffer.subarray(0, length));
  }

  members(entry = this.entry): string[] {
    const { sets } = this.store;
    const members: string[] = [];
    for (let more = sets.first(entry); more; more = sets.next()) members.push(this.member());
    return members;
  }

  /** Asserts that the set has the members of the model, by every way of reading it, and that nothing leaks. */
  check(): void {
    const { model, store } = this;
    if (model.size === 0) return assertEquals(this.entry, 0);
    assertEquals(store.sets.length(this.entry), model.size);
    const members = this.members();
    assertEquals(members.length, model.size);
    assertEquals(new Set(members), model);
    for (const member of model) assert(this.has(member), `"${member.slice(0, 40)}" is absent`);
    assertEquals(store.audit(), 0);
  }
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function numbered(count: number, length: number): string[] {
  return Array.from({ length: count }, (_, number) => String(number).padStart(length, "m"));
}

const WIDTH_ENDS = [8, 16, 24, 32, 40, 48].flatMap((bits) => {
  const end = 2 ** (bits - 1);
  return [end - 1, end, end + 1, -end + 1, -end, -end - 1];
});
const INTEGERS = [0, 1, -1, 9, 10, -10, ...WIDTH_ENDS].map(String);
/** Members that look like integers, but are not written as Redis writes them, or are too large. */
const UNUSUAL = [
  "-0",
  "007",
  "+1",
  " 1",
  "1 ",
  "1.0",
  "1e3",
  "-",
  "--1",
  "0x10",
  "00",
  "-01",
  String(Number.MAX_SAFE_INTEGER),
  "999999999999999",
  "-999999999999999",
  "1000000000000000",
  "9223372036854775807",
  "-9223372036854775808",
  "18446744073709551616",
];
const LENGTHS = [0, 1, 63, 64, 65, 238, 239, 240, 241, 247, 252, 253, 255, 256, 1024, 8192, FIELD_SIZE_MAX_BYTES];
const TEXTS = LENGTHS.flatMap((length) => [
  "\xff".repeat(length),
  // It differs from the first one in its first byte only.
  ("\xf0" + "\xff".repeat(Math.max(0, length - 1))).slice(0, length),
]);
const EDGES = [...new Set([...INTEGERS, ...UNUSUAL, ...TEXTS])];

Deno.test("Sets keep each kind of member alone, as it was added", () => {
  for (const member of EDGES) {
    const fixture = new Fixture(1 << 22).add(member, member);
    assertEquals(fixture.members(), [member]);
    fixture.check();
    fixture.remove(member).check();
  }
});

Deno.test("Sets keep every kind of member beside the others, packed and large", () => {
  const fixture = new Fixture();
  for (const member of EDGES) fixture.add(member);
  fixture.check();
  for (const member of EDGES) fixture.add(member);
  fixture.check();
  for (const member of EDGES.slice(1)) fixture.remove(member, member);
  fixture.check();
  assertEquals(fixture.members(), [EDGES[0]]);
  const packed = new Fixture().add(...INTEGERS.slice(0, 12), "-0", "007", "", "a");
  assertEquals(packed.encoding, "listpack");
  packed.check();
});

Deno.test("Sets have members whose integers and texts do not equal one another", () => {
  const fixture = new Fixture();
  // The payload of the integer 97 is the byte "a", and that of 24930 the bytes "ab".
  fixture.add("97", "24930");
  assert(!fixture.has("a"));
  assert(!fixture.has("ab"));
  fixture.add("a", "ab", "-0", "0");
  assert(!fixture.has("00"));
  assert(!fixture.has(""));
  fixture.check();
});

Deno.test("Sets have the encoding that Redis names for what they contain", () => {
  assertEquals(new Fixture().add("1", "-2", "140737488355327").encoding, "intset");
  assertEquals(new Fixture().add("1", "x").encoding, "listpack");
  assertEquals(new Fixture().add("1", "x").remove("x").encoding, "intset");
  assertEquals(new Fixture().add("x".repeat(PACKED_ELEMENT_MAX_BYTES)).encoding, "listpack");
  assertEquals(new Fixture().add("x".repeat(PACKED_ELEMENT_MAX_BYTES + 1)).encoding, "hashtable");
  assertEquals(new Fixture().add("x", "y".repeat(PACKED_ELEMENT_MAX_BYTES + 1)).encoding, "hashtable");
});

Deno.test("Sets become large when their members exceed the size of a packed set, and stay large", () => {
  const size = 16;
  const members = numbered(PACKED_MAX_BYTES / size + 1, size - 1);
  const fixture = new Fixture().add(...members.slice(0, -1));
  assertEquals(fixture.encoding, "listpack");
  fixture.check();
  fixture.add(members.at(-1)!);
  assertEquals(fixture.encoding, "hashtable");
  fixture.check();
  fixture.remove(...members.slice(1));
  assertEquals(fixture.encoding, "hashtable");
  fixture.check();
  fixture.remove(members[0]!);
  fixture.check();
  assertEquals(fixture.add("x").encoding, "listpack");
});

for (
  const [name, make] of [
    ["integers", (number: number) => String(number * 7919 - 50_000)],
    ["texts of 16 bytes", (number: number) => String(number).padStart(16, "m")],
    ["texts of all sizes", (number: number) => `${number}:${"x".repeat(number * 31 % 300)}`],
  ] as const
) {
  Deno.test(`Sets of ${name} grow and shrink`, () => {
    const fixture = new Fixture(1 << 28);
    const members = Array.from({ length: MEMBERS_COUNT }, (_, number) => make(number));
    for (const member of members) fixture.add(member);
    fixture.check();
    const usedBytes = fixture.store.entryBytes(fixture.entry, 0);
    for (const member of members.slice(MEMBERS_COUNT / 100)) fixture.remove(member);
    fixture.check();
    // Buckets are joined again, so the few members that are left do not take the memory of many.
    assertLess(fixture.store.entryBytes(fixture.entry, 0), usedBytes / 10);
    for (const member of members) fixture.add(member);
    fixture.check();
    for (const member of members) fixture.remove(member);
    fixture.check();
  });
}

Deno.test("Sets take little more memory than their members", () => {
  const members = Array.from({ length: 20_000 }, (_, number) => String(number).padStart(16, "m"));
  const fixture = new Fixture().add(...members);
  assertLess(fixture.store.entryBytes(fixture.entry, 0), members.length * 22);
  const integers = new Fixture().add(...Array.from({ length: 20_000 }, (_, number) => String(1_000_000 + number)));
  assertLess(integers.store.entryBytes(integers.entry, 0), 20_000 * 6);
  const exact = fixture.store.entryBytes(fixture.entry, 0);
  const sampled = fixture.store.entryBytes(fixture.entry, 100);
  assertLess(Math.abs(sampled - exact), exact / 10);
});

Deno.test("Sets find members whose hashes have equal low bits", () => {
  const entries = new Entries(new Arena(1 << 22), SEED);
  const leaves = new SetLeaves(entries);
  const form = new MemberForm();
  const lowBits = (member: string): number => {
    const bytes = bytesOf(member);
    form.set(bytes, 0, bytes.length);
    leaves.hash(form);
    return form.hash & 0xff;
  };
  const members: string[] = [];
  for (let number = 0; members.length < 300; number++) {
    const member = number % 2 === 0 ? String(number) : `m:${number}`;
    if (lowBits(member) === 0x5a) members.push(member);
  }
  const fixture = new Fixture().add(...members);
  fixture.check();
  fixture.remove(...members.slice(0, 200));
  fixture.check();
  fixture.add(...members, ...numbered(5_000, 6));
  fixture.check();
  fixture.remove(...members);
  fixture.check();
});

Deno.test("Sets seek() continues with the members after the one that is found", () => {
  for (const count of [10, 2_000]) {
    const fixture = new Fixture().add(...numbered(count, 8));
    const members = fixture.members();
    for (const index of [0, 1, count >> 1, count - 2, count - 1]) {
      const bytes = bytesOf(members[index]!);
      assert(fixture.store.sets.seek(fixture.entry, bytes, 0, bytes.length));
      const rest = [fixture.member()];
      while (fixture.store.sets.next()) rest.push(fixture.member());
      assertEquals(rest, members.slice(index));
    }
    assert(!fixture.store.sets.seek(fixture.entry, KEY, 0, KEY.length));
  }
});

Deno.test("Sets scan() visits each member once, and all of a packed set in one call", () => {
  for (const [count, callsMax] of [[20, 1], [3_000, 400]] as const) {
    const fixture = new Fixture().add(...numbered(count, 8));
    const visited: string[] = [];
    let cursor = 0;
    let calls = 0;
    do {
      const before = visited.length;
      cursor = fixture.store.sets.scan(fixture.entry, cursor, () => visited.push(fixture.member()));
      assertEquals(cursor, cursor >>> 0);
      if (count > 100) assertLessOrEqual(visited.length - before, 60);
      calls++;
    } while (cursor !== 0);
    assertEquals(visited.toSorted(), [...fixture.model].toSorted());
    assertLessOrEqual(calls, callsMax);
  }
});

Deno.test("Sets scan() takes any cursor", () => {
  const fixture = new Fixture().add(...numbered(1_000, 8));
  for (const cursor of [1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 0x1234_5678]) {
    let visited = 0;
    const next = fixture.store.sets.scan(fixture.entry, cursor, () => visited++);
    assert(next === 0 || next > cursor);
    assertLess(visited, 60);
  }
});

for (const count of [12, 4_000]) {
  Deno.test(`Sets seekRandom() chooses each of ${count} members about equally often`, () => {
    const fixture = new Fixture().add(...numbered(count, 8));
    const draws = count * 20;
    const counts = new Map<string, number>();
    // These numbers are spread evenly, and the golden ratio keeps neighbours apart.
    for (let i = 0; i < draws; i++) {
      assert(fixture.store.sets.seekRandom(fixture.entry, i * 0.6180339887498949 % 1));
      const member = fixture.member();
      counts.set(member, (counts.get(member) ?? 0) + 1);
    }
    const expected = draws / count;
    let chiSquare = 0;
    for (const member of fixture.model) chiSquare += ((counts.get(member) ?? 0) - expected) ** 2 / expected;
    // Chi-square has the mean `count - 1` and the variance twice that: this is five standard deviations above.
    assertLess(chiSquare, count - 1 + 5 * Math.sqrt(2 * (count - 1)));
    assertGreater(Math.min(...counts.values()), 0);
  });
}

Deno.test("Sets are copied with all their members, and the copy is independent", () => {
  const contents = [["1", "2", "x"], numbered(5_000, 10), [...EDGES]];
  for (const members of contents) {
    const fixture = new Fixture().add(...members);
    const { store } = fixture;
    const name = encodeText("copy");
    const copy = store.copyEntry(store.room.makeForCopy(fixture.entry), name, 0, name.length);
    assertEquals(store.audit(), 0);
    // The hash of a member is the same in all sets, so the copy has the same order.
    assertEquals(fixture.members(copy), fixture.members());
    fixture.remove(members[0]!).add("new", "y".repeat(500));
    fixture.check();
    assertEquals(new Set(fixture.members(copy)), new Set(members));
    store.remove(copy);
    while (store.freeRemoved(10));
    fixture.check();
  }
});

Deno.test("Sets measureCopy() counts the blocks of a copy", () => {
  const fixture = new Fixture().add(...numbered(3_000, 12), ...EDGES);
  const { store } = fixture;
  let measured = 0;
  store.sets.measureCopy(fixture.entry, (size) => measured += size);
  const before = store.statistics.usedBytes;
  const name = encodeText("copy");
  store.copyEntry(store.room.makeForCopy(fixture.entry), name, 0, name.length);
  const grown = store.statistics.usedBytes - before;
  assertLessOrEqual(measured, grown);
  assertLess(grown - measured, measured / 10);
});

Deno.test("Sets that are removed are freed in steps", () => {
  const fixture = new Fixture().add(...numbered(5_000, 10), ...EDGES);
  const { store } = fixture;
  store.remove(fixture.entry);
  let steps = 0;
  while (store.freeRemoved(16)) {
    steps++;
    assertEquals(store.audit(), 0);
  }
  assertGreater(steps, 10);
  assertEquals(store.statistics.usedBytes, store.statistics.tableBytes);
});

Deno.test("Sets shrink without room in a full store", () => {
  const fixture = new Fixture(1 << 23);
  const { store } = fixture;
  const members = numbered(100_000, 14);
  let count = 0;
  const fill = encodeText("x".repeat(3_000));
  fixture.add(...members.slice(0, 20_000));
  try {
    for (;; count++) {
      const name = encodeText(`filler:${count}`);
      store.room.make(name.length + fill.length, 3);
      store.strings.set(name, 0, name.length, 0, fill, 0, fill.length, 0);
    }
  } catch {
    assertGreater(count, 100);
  }
  fixture.remove(...members.slice(10, 20_000));
  fixture.check();
  fixture.add(...numbered(100, 15));
  fixture.check();
});

Deno.test("Sets keep their members and their deadline when they are renamed and get a deadline", () => {
  for (const members of [["1", "x"], numbered(1_000, 10)]) {
    const fixture = new Fixture().add(...members);
    const { store } = fixture;
    store.nowMs = 1;
    store.setDeadline(fixture.entry, 1_000);
    fixture.check();
    fixture.add("late");
    for (const name of ["a", "b".repeat(300), "set"]) {
      const key = encodeText(name);
      const entry = store.rename(fixture.entry || store.oldest(), key, 0, key.length);
      assertEquals(store.deadline(entry), 1_000);
      assertEquals(new Set(fixture.members(entry)), fixture.model);
      assertEquals(store.audit(), 0);
    }
    store.setDeadline(fixture.entry, 0);
    fixture.check();
    store.setDeadline(fixture.entry, 1_000);
    store.nowMs = 1_000;
    assertEquals(fixture.entry, 0);
    while (store.freeRemoved(100));
    assertEquals(store.statistics.usedBytes, store.statistics.tableBytes);
  }
});
