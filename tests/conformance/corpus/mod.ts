/**
 * The corpus: the commands that are sent to both redis-server and inmem.
 *
 * @module
 */

import type { Group } from "../transcript.ts";
import { AUTHENTICATION } from "./authentication.ts";
import { BLOCKING } from "./blocking.ts";
import { CHANNELS } from "./channels.ts";
import { CONNECTIONS } from "./connections.ts";
import { DIAGNOSIS } from "./diagnosis.ts";
import { HASHES } from "./hashes.ts";
import { KEYS } from "./keys.ts";
import { LISTS } from "./lists.ts";
import { PROTOCOLS } from "./protocols.ts";
import { SETS } from "./sets.ts";
import { STRINGS } from "./strings.ts";
import { TRANSACTIONS } from "./transactions.ts";

/** Groups for servers without a password. */
export const GROUPS: readonly Group[] = [
  STRINGS,
  LISTS,
  HASHES,
  SETS,
  KEYS,
  BLOCKING,
  TRANSACTIONS,
  CHANNELS,
  CONNECTIONS,
  PROTOCOLS,
  DIAGNOSIS,
];

/** Groups for servers that require the password. */
export const GUARDED_GROUPS: readonly Group[] = [AUTHENTICATION];
