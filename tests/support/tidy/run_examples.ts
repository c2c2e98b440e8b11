/**
 * The program that runs the modules of examples, one after another:
 *
 * ```sh
 * deno run run_examples.ts ADDRESS examples.json
 * ```
 *
 * It empties the store before each of them, prints what has failed, and exits with 1 then. It ends by itself once every
 * example has closed what it opened.
 *
 * @module
 */

import { connect } from "../../../src/mod.ts";
import { SHOWN } from "./example_output.ts";

const [addr, listPath] = Deno.args;
const examples: { name: string; url: string }[] = JSON.parse(Deno.readTextFileSync(listPath!));

const failures: string[] = [];
let running = "";

function fail(what: string): void {
  failures.push(`${running}: ${what}`);
}

// Only a program that comes to its end has passed.
Deno.exitCode = 1;
const print = console.log;
console.log = (mark: unknown, expected: unknown, ...values: unknown[]) => {
  if (mark !== SHOWN) return;
  const shown = values.map((value) => typeof value === "string" ? value : Deno.inspect(value)).join(" ");
  if (shown !== expected && JSON.stringify(shown) !== expected) fail(`expected ${expected}, but it prints ${shown}`);
};
console.assert = (holds: unknown, ...values: unknown[]) => {
  if (!holds) fail(`console.assert() failed ${values.join(" ")}`);
};
addEventListener("unhandledrejection", (event) => {
  // Before the first example, it is this module that rejects.
  if (running === "") return;
  event.preventDefault();
  fail(`it leaves a promise that rejects: ${Deno.inspect(event.reason)}`);
});

{
  await using client = await connect({ addr: addr! });
  for (const { name, url } of examples) {
    running = name;
    print(`running ${name}`);
    await client.send(["flushall"]);
    try {
      await import(url);
    } catch (error) {
      fail(Deno.inspect(error));
    }
  }
}
if (failures.length > 0) console.error(failures.join("\n"));
else Deno.exitCode = 0;
