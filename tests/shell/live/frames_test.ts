import { assertEquals } from "@std/assert";
import { decodeText } from "../../../src/bytes.ts";
import { Frames } from "../../../src/shell/live/frames.ts";
import { Output } from "../../../src/terminal/output.ts";
import { Screen } from "../../support/screen.ts";

/** Returns frames on a screen or without one, and what shows their output. */
function framesOn(screen: Screen | undefined) {
  let written = "";
  const output = new Output({
    write: (bytes) => {
      const text = decodeText(bytes);
      written += text;
      // The terminal driver adds the carriage return.
      screen?.write(text.replaceAll("\n", "\r\n"));
      return Promise.resolve(bytes.length);
    },
  });
  const size = screen ?? { columns: Infinity, rows: Infinity };
  const frames = new Frames(output, screen !== undefined, () => size);
  return { frames, output, written: () => written };
}

Deno.test("on a terminal each frame replaces the one before, whether longer or shorter", async () => {
  const screen = new Screen(20, 6);
  screen.write("$ command\r\n");
  const { frames, output } = framesOn(screen);
  for (const lines of [["a", "bbbbbbbb", "c"], ["12345678901234567890", "b"], ["1", "2", "3", "4"]]) {
    frames.show(lines);
    await output.flushed();
    assertEquals(screen.text, ["$ command", ...lines].join("\n"));
  }
  frames.show(["only"]);
  frames.clear();
  output.add("done\n");
  await output.flushed();
  assertEquals(screen.text, "$ command\ndone");
});

Deno.test("a frame that is higher than the terminal is cut, so that the next one replaces all of it", async () => {
  const screen = new Screen(20, 4);
  const { frames, output } = framesOn(screen);
  for (const first of ["a", "b"]) {
    frames.show([first, "2", "3", "4", "5"]);
    await output.flushed();
    assertEquals(screen.text, `${first}\n2\n… 3 more lines`);
  }
});

Deno.test("after a stop, the next frame leaves the former one and what follows it", async () => {
  const screen = new Screen(20, 6);
  const { frames, output } = framesOn(screen);
  frames.show(["a"]);
  output.add("[1]+ Stopped\n");
  frames.leave();
  frames.show(["b"]);
  await output.flushed();
  assertEquals(screen.text, "a\n[1]+ Stopped\nb");
});

Deno.test("Ctrl-C leaves no trace below a frame, and begins a line elsewhere", async () => {
  const screen = new Screen(20, 6);
  const { frames, output } = framesOn(screen);
  const interrupt = async () => {
    await output.flushed();
    screen.write("^C");
    frames.hideInterrupt();
  };
  await interrupt();
  frames.show(["a", "b"]);
  await interrupt();
  frames.show(["c"]);
  await interrupt();
  output.add("done\n");
  await output.flushed();
  assertEquals(screen.text, "^C\nc\ndone");
});

Deno.test("a terminal of another width is cleared", async () => {
  const screen = new Screen(20, 6);
  const { frames, output } = framesOn(screen);
  let columns = 20;
  const resized = new Frames(output, true, () => ({ columns, rows: 6 }));
  frames.show(["a line"]);
  resized.show(["wide"]);
  columns = 10;
  resized.show(["narrow"]);
  await output.flushed();
  assertEquals(screen.text, "narrow");
});

Deno.test("elsewhere the frames follow each other, without control sequences", async () => {
  const { frames, output, written } = framesOn(undefined);
  frames.show(["a", "b"]);
  frames.show(["c"]);
  frames.clear();
  frames.leave();
  await output.flushed();
  assertEquals(written(), "a\nb\n\nc\n");
});
