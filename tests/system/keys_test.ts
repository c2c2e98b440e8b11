/** Tests `keys` over many keys, beside other clients. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { longOnly } from "../support/amount.ts";
import { systemTest } from "../support/launcher.ts";
import { framesOf, plain } from "../support/raw_client.ts";

const KEYS_COUNT = 300_000;
const BATCH_COUNT = 10_000;

systemTest(
  "keys * on 300,000 keys arrives complete, and other clients get replies meanwhile",
  longOnly,
  async (launcher) => {
    const server = await launcher.server();
    const client = await launcher.connect(server);
    const filling: Promise<unknown>[] = [];
    for (let at = 0; at < KEYS_COUNT; at += BATCH_COUNT) {
      filling.push(
        client.send(["mset", ...Array.from({ length: BATCH_COUNT }, (_, i) => [`key:${at + i}`, ""]).flat()]),
      );
    }
    await Promise.all(filling);

    // Bare connections are used, since decoding that many keys would delay this process rather than the server.
    using walker = await launcher.raw(server);
    using other = await launcher.raw(server);
    await walker.call("ping");
    let arrived = false;
    await walker.send(framesOf(["keys", "*"], ["size"]));
    const reading = walker.readFrame().then((frame) => {
      arrived = true;
      return frame;
    });
    // A later client gets its replies before the listing is complete: to pings, and to changes of the keys.
    let count = 0;
    for (; !arrived; count++) {
      assertEquals(await other.call("set", `new:${count}`, "x"), "OK");
      assertEquals(await other.call("remove", `new:${count}`), 1);
      assertEquals(await other.call("ping"), "PONG");
    }
    assertGreater(count, 5);
    const frame = await reading;
    const keys = plain(decodeReply(frame, FRAME_PREFIX_BYTES, frame.length)) as string[];
    const found = new Set(keys);
    assertEquals(found.size, keys.length, "a key is returned twice");
    for (let i = 0; i < KEYS_COUNT; i++) assert(found.delete(`key:${i}`), `key:${i}`);
    for (const key of found) assert(key.startsWith("new:"), key);
    assertGreater(Number(await walker.reply()), KEYS_COUNT - 1, "later requests run then");
  },
);
