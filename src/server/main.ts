/**
 * The role `inmem server`: reads the options, runs a server (server/server.ts) and returns the exit status.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { tornPath } from "../log/set_aside.ts";
import { followOptions } from "../role/config_follower.ts";
import { parseConfigured } from "../role/config_file.ts";
import { planServerDescriptors } from "../role/descriptors.ts";
import { ignoreStraySignals, runUntilStopped } from "../role/lifetime.ts";
import { followListening, resolveListening } from "../role/listening_options.ts";
import { loadProgress } from "../role/load_progress.ts";
import { createLogger, type Logger } from "../role/logger.ts";
import { planServerMemory } from "../role/memory_limit.ts";
import { serverOptions } from "../role/option_tables.ts";
import { checkPlatform } from "../role/platform_check.ts";
import { formatSize } from "../role/quantities.ts";
import { Supervision } from "../role/supervision.ts";
import { chooseDataFolder } from "./data_folder.ts";
import { damagedPath, type Loaded } from "./loading.ts";
import { startServer } from "./server.ts";

export { Server, type ServerSettings, startServer } from "./server.ts";

/**
 * Runs a server until a signal stops it.
 *
 * @param argv the arguments after `server`
 * @returns the exit status; role/lifetime.ts lists them
 * @throws {UsageError} when the options are wrong
 * @throws {StartError} when the server cannot start
 */
export async function serverMain(argv: readonly string[]): Promise<number> {
  const options = parseConfigured(serverOptions, argv);
  if (options === undefined) return 0;
  const { values } = options;
  const logger = createLogger(values["log-format"]);
  checkPlatform("server", logger);
  const { settings: listening, sources } = await resolveListening(values);
  for (const warning of sources.warnings) logger.warn(warning);
  const memory = planServerMemory({
    data: values["max-memory"],
    clients: values["max-client-memory"],
    connections: values["max-clients"],
    hasPort: values.metrics !== undefined,
  });
  const descriptors = planServerDescriptors(memory.connections, values.metrics !== undefined);
  for (const warning of [...memory.warnings, ...descriptors.warnings]) logger.warn(warning);
  const heedSignals = ignoreStraySignals();
  const dataPath = values["no-persist"] ? undefined : chooseDataFolder(values.data);
  const supervision = new Supervision(values["health-file"], logger);
  const showProgress = loadProgress(logger);
  // It listens before the data is loaded, so that `/readyz` says so. Without the option, its modules are not loaded.
  const port = values.metrics &&
    new (await import("../page/metrics_port.ts")).MetricsPort({
      address: values.metrics,
      connections: descriptors.portConnections,
      listening,
      page: { canEdit: values["metrics-edit"] },
      logger,
    });
  const server = await startServer({
    ...listening,
    dataPath,
    backupPath: values.backup,
    backupFolder: values["backup-folder"],
    repairs: values.repair,
    fsync: values.fsync,
    snapshotGrowthPercent: values["snapshot-growth"],
    snapshotIntervalMs: values["snapshot-interval"],
    loadProgress: (done, total) => {
      showProgress(done, total);
      supervision.loading(done, total);
    },
    memoryLimitBytes: memory.data,
    clientMemoryLimitBytes: memory.clients,
    snapshotQueueMaxBytes: memory.snapshotQueue,
    freedQueueMaxBytes: memory.freedQueue,
    slowCommandMs: values["slow-command"],
    latencyThresholdMs: values["latency-threshold"],
    evicts: values.eviction === "lru",
    defaultTtlMs: values["default-ttl"] ?? 0,
    maxClients: descriptors.maxClients,
    maxConnections: Math.min(descriptors.maxConnections, memory.maxConnections),
    enablesDebug: values["enable-debug-command"],
    logger,
  }).catch(async (error) => {
    await Promise.all([port?.stop(), supervision.close()]);
    throw error;
  });
  const role = port?.observe(server) ?? server;
  const reloading = followListening(listening, sources, role, logger);
  followOptions(options, serverOptions, server, reloading, logger);
  const ended = runUntilStopped(role, reloading, logger, supervision);
  heedSignals();
  if (dataPath === undefined) logger.info("Nothing is kept on disk: --no-persist");
  else logger.info(`Data folder: "${dataPath}"`, { fsync: values.fsync });
  logger.info(`Memory for data: ${formatSize(memory.data)}`, { reason: memory.reason });
  logger.info(`Memory for clients: ${formatSize(memory.clients)}`);
  if (server.loaded) logLoaded(server.loaded, logger);
  if (server.untuned !== undefined) {
    logger.warn("Replies may take 40 ms longer: socket options are not set", { reason: server.untuned });
  }
  logger.info(`listening on ${formatAddress(server.address)}`);
  supervision.serving(server, `Listening on ${formatAddress(server.address)}`);
  return await ended;
}

/** Logs what the start has loaded, and what it had to leave out. */
function logLoaded(loaded: Loaded, logger: Logger): void {
  const { path, keys, batches, expired, evicted, dropped, torn, tornLost, damaged, lacksLog, durationMs } = loaded;
  for (const part of torn) {
    const { path, offset, bytes } = part;
    const isKept = !tornLost.includes(part);
    logger.warn(
      isKept
        ? "The end of the log is torn, as a crash leaves it: it was cut off"
        : "The end of the log is torn, as a crash leaves it: it was cut off without a copy, since the disk is full",
      { path, offset, bytes, ...isKept && { kept: tornPath(part) } },
    );
  }
  if (lacksLog) {
    logger.warn("There is a snapshot but no log: writes after the snapshot are missing", { path });
  }
  for (const { path, offset, bytes, reason } of damaged) {
    const kept = bytes > 0 ? { kept: damagedPath(path) } : {};
    logger.error("Damaged data was left out", { path, offset, bytes, reason, ...kept });
  }
  if (dropped > 0) logger.error("Records on keys with missing parts were left out", { records: dropped });
  logger.info(path === undefined ? "Loaded the log" : `Loaded "${path}" and the log after it`, {
    keys,
    batches,
    expired,
    evicted,
    ms: Math.round(durationMs),
  });
  if (evicted > 0) {
    logger.warn("The data needs more than --max-memory: its least used keys were left out", { evicted });
  }
}
