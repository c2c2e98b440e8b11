/**
 * A request whose reply nobody needs: one behind it on the same connection tells whether it was lost.
 *
 * @module
 */

import { Exchange } from "../route/exchange.ts";

/** Its exchange. */
export class UnreadExchange extends Exchange {
  override succeed(): void {
    // See the module's comment.
  }

  override fail(): void {
    // See the module's comment.
  }
}
