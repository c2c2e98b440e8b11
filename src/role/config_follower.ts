/**
 * Connects a running role with its file of `--config`: the role follows the file, and `config rewrite` writes it.
 *
 * @module
 */

import { type ConfiguredOptions, rewriteConfigFile } from "./config_file.ts";
import { LiveOptions, type LiveSettings } from "./live_settings.ts";
import type { Logger } from "./logger.ts";
import type { OptionTable } from "./options.ts";
import type { Reloading } from "./reloading.ts";

/** A role whose settings can change. */
interface Configurable {
  readonly live: LiveSettings;
  rewriteConfig: (() => Promise<void>) | undefined;
}

/** Follows the file of `--config`, and lets the role rewrite it. Without such a file, it does nothing. */
export function followOptions<T extends OptionTable>(
  options: ConfiguredOptions<T>,
  table: T,
  role: Configurable,
  reloading: Reloading,
  logger: Logger,
): void {
  const { path } = options;
  if (path === undefined) return;
  const live = new LiveOptions(table, role.live, options.values, logger);
  reloading.options(options, live);
  role.rewriteConfig = async () => {
    const changed = live.changed();
    const texts = new Map([...changed].map(([name, value]) => [name, live.textOf(name, value)]));
    await rewriteConfigFile(path, table, texts);
    const overridden = live.wrote(changed, options.reread());
    if (overridden.length > 0) {
      logger.warn(`The command line or the environment overrides options that were written to "${path}"`, {
        options: overridden.join(" "),
      });
    }
  };
}
