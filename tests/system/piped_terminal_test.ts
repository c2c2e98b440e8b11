import { assert } from "@std/assert";
import { inmemCommand, ROOT } from "../../cluster/role_process.ts";
import { systemTest } from "../support/launcher.ts";
import { missingForTerminals, TerminalProgram } from "../support/terminal_program.ts";

const missing = await missingForTerminals();

systemTest(
  "inmem client shows the progress and the summary of piped commands on a terminal",
  { ignore: missing !== undefined },
  async (launcher) => {
    const server = await launcher.server(["--plaintext"]);
    const lines = `set a 1\nnosuch\n# comment\n${"incr n\n".repeat(500)}`;
    await Deno.writeTextFile(launcher.path("lines"), lines);
    const words = inmemCommand("client", "--addr", `inmem://${server.address}`).map((word) => `'${word}'`).join(" ");
    const terminal = await TerminalProgram.start({}, 60);
    try {
      const input = launcher.path("lines");
      await terminal.type(`cd '${ROOT}'\r`);
      await terminal.type(`${words} < ${input} > ${launcher.path("replies")}; echo "status $?"\r`);
      await terminal.seeText("line 2: ERR unknown command");
      await terminal.seeText("502 commands, 1 refused, ");
      await terminal.seeText("status 1");
      // The input ends when a line is typed, so that the line of progress is seen. A pipe has no size, and no share.
      await terminal.type(`(cat ${input}; read) | ${words} --quiet; echo "then $?"\r`);
      const progress = /\rrun {2}502 commands {2}[0-9,]+\/s {2}1 refused/;
      await terminal.expect(() => progress.test(terminal.written), "the line of progress");
      await terminal.type("\r");
      await terminal.expect(() => terminal.written.includes("then 1"), "the second status");
      // When standard error is a file, nothing but the errors is written to it.
      await terminal.type(`${words} --quiet < ${input} 2> ${launcher.path("errors")}; echo "ended $?"\r`);
      await terminal.seeText("ended 1");
      const errors = await Deno.readTextFile(launcher.path("errors"));
      assert(/^line 2: ERR unknown command [^\n]*\nhint: [^\n]*\n$/.test(errors), errors);
    } finally {
      await terminal.end();
    }
  },
);
