/**
 * `--scan`: the names of keys, one per line.
 *
 * | | a name |
 * |---|---|
 * | on a terminal | quoted, so that it can be typed |
 * | raw | its bytes |
 * | `--json` | a string, or `{"base64":"…"}` |
 *
 * @module
 */

import type { Client } from "../../client/client.ts";
import { quote } from "../../terminal/printable_text.ts";
import { formatReply } from "../format.ts";
import { keyPages, type KeySelection } from "./key_pages.ts";
import type { LiveView } from "./live_view.ts";

/**
 * Prints the names until all are printed or the view's tool shall end.
 *
 * @throws what {@linkcode keyPages} throws
 */
export async function showKeys(client: Client, selection: KeySelection, view: LiveView): Promise<void> {
  const { output, format, colours } = view;
  for await (const keys of keyPages(client, selection, view)) {
    for (const key of keys) {
      if (format === "human") output.add(`${colours.paint("name", quote(key))}\n`);
      else output.add(formatReply(key, format));
    }
    await view.room();
  }
}
