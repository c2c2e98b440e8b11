/** The progress line: what it shows, how it fits, and that it leaves the terminal clean. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeText } from "../../src/bytes.ts";
import {
  formatCount,
  formatDuration,
  formatSize,
  formatTime,
  type Progress,
  ProgressLine,
  type ProgressMode,
} from "../../src/terminal/progress.ts";

/** A progress line on a fake terminal, with a clock that is set by hand. */
class Rig {
  written = "";
  nowMs = 0;
  progress: Progress = { done: 0 };
  columns: number;
  readonly line: ProgressLine;

  constructor(unit: string, columns = 80, mode: ProgressMode = "redraw") {
    this.columns = columns;
    this.line = new ProgressLine({
      label: "import",
      unit,
      mode,
      read: () => this.progress,
      columns: () => this.columns,
      nowMs: () => this.nowMs,
      sink: {
        write: (bytes) => {
          this.written += decodeText(bytes);
          return Promise.resolve(bytes.length);
        },
      },
    });
  }

  /** Draws at a time, and returns the text without the control sequences. */
  async draw(nowMs: number, progress: Progress): Promise<string> {
    this.nowMs = nowMs;
    this.progress = progress;
    this.written = "";
    this.line.draw();
    // The write resolves in a later turn.
    await Promise.resolve().then(() => {}).then(() => {}).then(() => {});
    return this.written.replace("\r", "").replace("\x1b[K", "");
  }
}

Deno.test("ProgressLine shows the percentage, the time left, the count, the rate and the remark", async () => {
  const rig = new Rig("keys");
  const text = await rig.draw(2000, { done: 500_000, used: 25, total: 100, remark: "3 refused" });
  assertEquals(text, "import  25 %  0:06 left  500,000 keys  250,000/s  3 refused");
  await rig.line.end();
});

Deno.test("ProgressLine shows sizes, and no percentage when the total is not known", async () => {
  const rig = new Rig("bytes");
  assertEquals(await rig.draw(2000, { done: 3_000_000 }), "import  3.0 MB  1.5 MB/s");
  await rig.line.end();
});

Deno.test("ProgressLine takes the rate of the last seconds, not that of the whole run", async () => {
  const rig = new Rig("keys");
  for (let second = 1; second <= 10; second++) await rig.draw(second * 1000, { done: 1000 * second });
  for (let second = 11; second <= 20; second++) await rig.draw(second * 1000, { done: 10_000 });
  assertEquals(await rig.draw(21_000, { done: 10_000 }), "import  10,000 keys  0/s");
  await rig.line.end();
});

Deno.test("ProgressLine fits every width, and keeps the percentage longest", async () => {
  const rig = new Rig("keys");
  const progress = { done: 1_234_567, used: 45, total: 100, remark: "12 refused" };
  for (let columns = 1; columns <= 120; columns++) {
    rig.columns = columns;
    const text = await rig.draw(1000 + columns, progress);
    assert(text.length < Math.max(2, columns), `${columns} columns: "${text}"`);
    if (columns >= 6) assertMatch(text, /45 %/);
    if (columns >= 20) assertMatch(text, /45 % {2}\d:\d\d left/);
  }
  await rig.line.end();
});

Deno.test("ProgressLine leaves an empty line when it is hidden, and does not hide what is not shown", async () => {
  const rig = new Rig("keys");
  await rig.line.hide();
  assertEquals(rig.written, "");
  await rig.draw(1, { done: 1 });
  await rig.line.hide();
  assert(rig.written.endsWith("\r\x1b[K"));
  rig.written = "";
  await rig.line.end();
  assertEquals(rig.written, "");
});

Deno.test("ProgressLine writes nothing to a file, and whole lines to a dumb terminal", async () => {
  const off = new Rig("keys", 80, "off");
  assertEquals(await off.draw(1000, { done: 5 }), "");
  await off.line.end();
  assertEquals(off.written, "");
  const dumb = new Rig("keys", 80, "append");
  await dumb.draw(1000, { done: 5 });
  await dumb.line.end();
  assertEquals(dumb.written, "import  5 keys  5/s\n");
});

Deno.test("ProgressLine begins no write while one is under way, and survives a terminal that is gone", async () => {
  const writes: PromiseWithResolvers<number>[] = [];
  const line = new ProgressLine({
    label: "import",
    unit: "keys",
    mode: "redraw",
    read: () => ({ done: 1 }),
    columns: () => 80,
    sink: {
      write: () => {
        const write = Promise.withResolvers<number>();
        writes.push(write);
        return write.promise;
      },
    },
  });
  line.draw();
  line.draw();
  assertEquals(writes.length, 1);
  writes[0]!.reject(new Error("gone"));
  const ended = line.end();
  await Promise.resolve();
  while (writes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  writes[1]!.reject(new Error("gone"));
  await ended;
});

Deno.test("formatCount(), formatSize() and formatTime() write numbers for people", () => {
  assertEquals([0, 999, 1000, 1234567.4].map(formatCount), ["0", "999", "1,000", "1,234,567"]);
  assertEquals([0, 999, 1000, 9_949, 12_345, 999_600, 5e9, 2e15].map(formatSize), [
    "0 B",
    "999 B",
    "1.0 kB",
    "9.9 kB",
    "12 kB",
    "1.0 MB",
    "5.0 GB",
    "2000 TB",
  ]);
  assertEquals([0, 0.2, 59, 60, 3599, 3600, 90_061, 864_000].map(formatTime), [
    "0:00",
    "0:01",
    "0:59",
    "1:00",
    "59:59",
    "1:00:00",
    "25:01:01",
    "10 days",
  ]);
});

Deno.test("formatDuration() writes tenths of a second below 10 s", () => {
  assertEquals([0, 0.04, 0.11, 1, 9.94, 9.95, 10, 61].map(formatDuration), [
    "0.0 s",
    "0.0 s",
    "0.1 s",
    "1.0 s",
    "9.9 s",
    "0:10",
    "0:10",
    "1:01",
  ]);
});
