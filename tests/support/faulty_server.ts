/**
 * A server that kills itself at a fault point, for tests that start it as a separate process:
 *
 * ```text
 * faulty_server.ts FOLDER always|everysec|never POINT COUNT
 * ```
 *
 * It listens on loopback without TLS, and prints its port and a line end to standard output.
 *
 * @module
 */

import { UsageError } from "../../src/errors.ts";
import { systemFiles } from "../../src/log/system_files.ts";
import { createLogger } from "../../src/role/logger.ts";
import { startServer } from "../../src/server/server.ts";
import { faultPoint, withFaultPoints } from "./fault_points.ts";

const POLICIES = ["always", "everysec", "never"] as const;
const MEMORY_BYTES = 256 * 1024 * 1024;

const [dataPath, policy, point = "", count] = Deno.args;
const fsync = POLICIES.find((each) => each === policy);
if (fsync === undefined) throw new UsageError(`Cannot sync "${policy}": expected ${POLICIES.join(", ")}`);

const server = await startServer({
  hostname: "127.0.0.1",
  port: 0,
  files: withFaultPoints(systemFiles, faultPoint(point), Number(count)),
  dataPath,
  fsync,
  memoryLimitBytes: MEMORY_BYTES,
  evicts: true,
  defaultTtlMs: 0,
  maxClients: 1_000,
  logger: createLogger("text"),
});
console.log(server.address.port);
