/**
 * A request whose reply is not needed: a later request on the same connection shows whether it was lost.
 *
 * @module
 */

import { BackendRequest } from "../../route/backend_request.ts";

/** A request that ignores its outcome. */
export class DiscardReply extends BackendRequest {
  override succeed(): void {
    // The reply is not needed.
  }

  override fail(): void {
    // A later request on the same connection fails as well.
  }
}
