/**
 * The folder of the files that inmem makes for a user: the certificates of servers on this machine, the data of a
 * server without `--data`, and the client's history.
 *
 * It is a separate module so that a client finds the authority without loading the code that makes one. It imports no
 * package, so that the library can be imported from any folder without an import map.
 *
 * @module
 */

import { StartError } from "../errors.ts";
import { PLATFORM, type Platform } from "../operating_system.ts";

/** The files in a folder of certificates. */
export interface CertificatePaths {
  readonly authority: string;
  readonly authorityKey: string;
  readonly cert: string;
  readonly key: string;
}

/** Returns the paths of the files in `folder`. */
export function certificatePaths(folder: string): CertificatePaths {
  return {
    authority: within(folder, "ca.pem"),
    authorityKey: within(folder, "ca.key"),
    cert: within(folder, "server.pem"),
    key: within(folder, "server.key"),
  };
}

function within(folder: string, name: string): string {
  return `${folder.replace(/\/+$/, "")}/${name}`;
}

/**
 * Returns the folder of the files that inmem makes for a user: `$XDG_STATE_HOME/inmem`, or `~/.local/state/inmem`; on
 * Windows `%LOCALAPPDATA%\inmem`.
 *
 * @param content what is looked for, for the error
 * @param advice the options that name another place, for the error
 * @throws {StartError} when the environment names none
 */
export function stateFolder(
  content = "certificates",
  advice = "--cert and --key, or run: inmem certs FOLDER",
  { os }: Pick<Platform, "os"> = PLATFORM,
): string {
  if (os === "windows") {
    const local = Deno.env.get("LOCALAPPDATA");
    if (local !== undefined && local !== "") return within(local, "inmem");
    throw new StartError(`Cannot find a folder for ${content}: LOCALAPPDATA is not set; set it, or give ${advice}`);
  }
  const state = Deno.env.get("XDG_STATE_HOME");
  // The XDG base directory specification requires that relative paths are ignored.
  if (state !== undefined && state.startsWith("/")) return within(state, "inmem");
  const home = Deno.env.get("HOME");
  if (home !== undefined && home !== "") return within(home, ".local/state/inmem");
  throw new StartError(
    `Cannot find a folder for ${content}: HOME and XDG_STATE_HOME are not set; set one, or give ${advice}`,
  );
}
