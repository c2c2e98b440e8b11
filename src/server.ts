/**
 * The role `inmem server`: options in, a running server, exit status out. The server itself is server/server.ts.
 *
 * @module
 */

import { formatAddress } from "./role/address.ts";
import { UsageError } from "./errors.ts";
import { resolveListening } from "./role/listening_options.ts";
import { createLogger } from "./role/logger.ts";
import { defaultMemoryLimit, helpText, parseOptions, serverOptions } from "./role/options.ts";
import { formatSize } from "./role/quantities.ts";
import { runUntilStopped } from "./role/lifetime.ts";
import { startServer } from "./server/server.ts";

export { Server, type ServerSettings, startServer } from "./server/server.ts";

/**
 * Runs a server until a signal stops it.
 *
 * @param argv the arguments after `server`
 * @returns the exit status; role/lifetime.ts lists them
 * @throws {UsageError} when the options are wrong
 * @throws {StartError} when the server cannot start
 */
export async function serverMain(argv: readonly string[]): Promise<number> {
  const { values, positional } = parseOptions(serverOptions, argv);
  if (values.help) {
    console.log(helpText(serverOptions).trimEnd());
    return 0;
  }
  if (positional.length > 0) {
    throw new UsageError(`Cannot use "${positional[0]}": expected options only, --help lists them`);
  }
  const logger = createLogger(values["log-format"]);
  const { warnings, ...listening } = await resolveListening(values);
  for (const warning of warnings) logger.warn(warning);
  const memory = values["max-memory"] === undefined
    ? defaultMemoryLimit()
    : { limit: values["max-memory"], reason: "--max-memory" };
  const server = await startServer({
    ...listening,
    dataPath: values["no-persist"] ? undefined : values.data,
    backupPath: values.backup,
    memoryLimitBytes: memory.limit,
    evicts: values.eviction === "lru",
    defaultTtlMs: values["default-ttl"] ?? 0,
    maxClients: values["max-clients"],
    logger,
  });
  const ended = runUntilStopped(server, logger);
  logger.info(`Memory for data: ${formatSize(memory.limit)}`, { reason: memory.reason });
  if (server.loaded) {
    const { path, keys, expired, evicted } = server.loaded;
    logger.info(`Loaded "${path}"`, { keys: keys - expired - evicted, expired, evicted });
    if (evicted > 0) {
      logger.warn("The snapshot needs more than --max-memory: its least used keys were left out", { evicted });
    }
  }
  if (server.untuned !== undefined) logger.warn("Replies may be slower than elsewhere", { reason: server.untuned });
  logger.info(`listening on ${formatAddress(server.address)}`);
  return await ended;
}
