/**
 * A request whose reply nobody needs: one behind it on the same connection tells whether it was lost.
 *
 * @module
 */

import { BackendRequest } from "../../route/backend_request.ts";

/** Its exchange. */
export class DiscardReply extends BackendRequest {
  override succeed(): void {
    // See the module's comment.
  }

  override fail(): void {
    // See the module's comment.
  }
}
