/**
 * Serves and wakes blocked clients, in turns of the event loop that are shared with other work.
 *
 * @module
 */

import type { Waiters } from "../command/waiters.ts";
import type { AppendLog } from "../log/append_log.ts";
import type { PeerEnds } from "../net/peer_ends.ts";
import type { Slices } from "../role/slices.ts";
import { WakeQueue } from "../role/wake_queue.ts";
import type { Store } from "../store/store.ts";

/** The parts of a server that serving blocked clients uses. */
export interface WaitingHost {
  readonly store: Store;
  readonly slices: Slices;
  readonly peerEnds: PeerEnds | undefined;
  readonly log: AppendLog | undefined;
}

/** Connects `waiters` to a server, so that blocked clients are served between its sessions. */
export function serveInTurns(waiters: Waiters, { store, slices, peerEnds, log }: WaitingHost): void {
  const serveAt = (nowMs: number, serve: () => void) => {
    store.nowMs = nowMs;
    serve();
    log?.flush();
  };
  if (peerEnds !== undefined) waiters.look = () => peerEnds.look();
  waiters.later = (serve) => setTimeout(() => serveAt(Date.now(), serve), 0);
  waiters.turns = {
    run: (step) => slices.run(step),
    continueLater: async (serve) => {
      const { nowMs } = store;
      await slices.next();
      serveAt(nowMs, serve);
    },
  };
  const wakes = new WakeQueue(slices);
  waiters.wake = (goOn) => wakes.wake(goOn);
}
