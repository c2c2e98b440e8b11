/**
 * The role `inmem proxy`: reads the options, runs a proxy (proxy/proxy.ts) and returns the exit status.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { UsageError } from "../errors.ts";
import { readAuthorities } from "../role/certificate_files.ts";
import { followOptions } from "../role/config_follower.ts";
import { parseConfigured } from "../role/config_file.ts";
import { planProxyDescriptors } from "../role/descriptors.ts";
import { runUntilStopped } from "../role/lifetime.ts";
import { followListening, resolveListening } from "../role/listening_options.ts";
import { createLogger } from "../role/logger.ts";
import { planProxyMemory } from "../role/memory_limit.ts";
import { proxyOptions } from "../role/option_tables.ts";
import { readPasswords } from "../role/password.ts";
import { checkPlatform } from "../role/platform_check.ts";
import { Supervision } from "../role/supervision.ts";
import { readMembers } from "../route/members.ts";
import { planMain } from "./plan_command.ts";
import { startProxy } from "./proxy.ts";

export { Proxy, type ProxySettings, startProxy } from "./proxy.ts";

/**
 * Runs a proxy until a signal stops it. If the first argument is `plan`, it plans a change of the servers instead.
 *
 * @param argv the arguments after `proxy`
 * @returns the exit status; role/lifetime.ts lists them
 * @throws {UsageError} when the options or the list of servers are wrong
 * @throws {StartError} when the proxy cannot start
 */
export async function proxyMain(argv: readonly string[]): Promise<number> {
  if (argv[0] === "plan") return planMain(argv.slice(1));
  const options = parseConfigured(proxyOptions, argv);
  if (options === undefined) return 0;
  const { values } = options;
  const plaintext = values["servers-plaintext"];
  if (plaintext && values.ca !== undefined) {
    throw new UsageError("Cannot use --ca with --servers-plaintext: expected one of them");
  }
  const logger = createLogger(values["log-format"]);
  checkPlatform("proxy", logger);
  const authorities = values.ca === undefined ? undefined : readAuthorities(values.ca);
  const { settings: listening, sources } = await resolveListening(values);
  for (const warning of sources.warnings) logger.warn(warning);
  const memory = planProxyMemory({
    clients: values["max-client-memory"],
    connections: values["max-clients"],
    hasPort: values.metrics !== undefined,
  });
  const members = readMembers(values.servers);
  // The list may grow later; the plan counts the servers at the start.
  const descriptors = planProxyDescriptors(
    memory.connections,
    members.length,
    values.conns,
    values.metrics !== undefined,
  );
  for (const warning of [...memory.warnings, ...descriptors.warnings]) logger.warn(warning);
  const serversPasswordPath = values["servers-password-file"];
  const serversPasswords = serversPasswordPath === undefined ? listening.password : readPasswords(serversPasswordPath);
  const supervision = new Supervision(values["health-file"], logger);
  // Without the option, the modules of the port are not loaded.
  const port = values.metrics &&
    new (await import("../page/metrics_port.ts")).MetricsPort({
      address: values.metrics,
      connections: descriptors.portConnections,
      listening,
      page: { canEdit: values["metrics-edit"] },
      logger,
    });
  const proxy = await startProxy({
    ...listening,
    maxClients: descriptors.maxClients,
    maxConnections: Math.min(descriptors.maxConnections, memory.maxConnections),
    dedicatedMaxCount: descriptors.dedicatedConnections,
    clientMemoryLimitBytes: memory.clients,
    freedQueueMaxBytes: memory.freedQueue,
    slowCommandMs: values["slow-command"],
    latencyThresholdMs: values["latency-threshold"],
    serversPath: values.servers,
    members,
    connectionsMaxCount: descriptors.sharedConnections,
    timeoutMs: values.timeout,
    onDown: values["on-down"],
    backend: {
      authority: authorities?.cert,
      authorityExpiresMs: authorities?.expiresMs,
      password: serversPasswords,
      plaintext,
      connectTimeoutMs: values["connect-timeout"],
    },
    logger,
  }).catch(async (error) => {
    await Promise.all([port?.stop(), supervision.close()]);
    throw error;
  });
  const role = port?.observe(proxy) ?? proxy;
  const reloading = followListening(listening, sources, {
    replaceCertificate: (certificate) => role.replaceCertificate(certificate),
    replacePasswords: (passwords) => {
      role.replacePasswords(passwords);
      if (serversPasswordPath === undefined) proxy.replaceBackend({ password: passwords });
    },
  }, logger);
  if (values.ca !== undefined && authorities !== undefined) {
    reloading.authorities(values.ca, authorities, ({ cert, expiresMs }) => {
      proxy.replaceBackend({ authority: cert, authorityExpiresMs: expiresMs });
    });
  }
  if (serversPasswordPath !== undefined) {
    reloading.passwords(serversPasswordPath, serversPasswords, (password) => proxy.replaceBackend({ password }));
  }
  followOptions(options, proxyOptions, proxy, reloading, logger);
  const ended = runUntilStopped(role, reloading, logger, supervision);
  if (proxy.untuned !== undefined) {
    logger.warn("Replies may take 40 ms longer: socket options are not set", { reason: proxy.untuned });
  }
  logger.info(`listening on ${formatAddress(proxy.address)}`, { servers: proxy.members.length });
  supervision.serving(proxy, `Listening on ${formatAddress(proxy.address)}`);
  return await ended;
}
