/**
 * Gives the imports of a bundle the meaning that they have without it.
 *
 * In Deno, as in Node, the default import of a CommonJS module is its `module.exports`. `deno bundle` follows another
 * rule for a module that sets `__esModule`: its default import is `module.exports.default`. The package `tslib` sets it
 * and has no such property, so its importers fail, such as the packages that make certificates. All these imports go
 * through one helper of the bundle, whose condition is replaced here.
 *
 * @module
 */

import { join } from "@std/path";

/** The condition on which the helper makes `module.exports` the default import. */
const CONDITION = "isNodeMode || !mod || !mod.__esModule ?";

const folder = Deno.args[0]!;
let count = 0;
for (const { name } of Deno.readDirSync(folder)) {
  const path = join(folder, name);
  const text = Deno.readTextFileSync(path);
  if (!text.includes(CONDITION)) continue;
  Deno.writeTextFileSync(path, text.replace(CONDITION, "true ?"));
  count++;
}
if (count !== 1) throw new Error(`Cannot mend ${folder}: ${count} files have "${CONDITION}", expected 1`);
