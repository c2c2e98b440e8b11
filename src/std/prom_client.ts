// The registry alone: the package's main module also loads OpenTelemetry and the collectors of Node's own metrics.
// @ts-types="./prom_client.d.ts"
export { default as Registry } from "npm:prom-client@15.1.3/lib/registry.js";
export type { MetricObject, MetricValue } from "./prom_client.d.ts";
