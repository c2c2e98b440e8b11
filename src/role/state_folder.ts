/**
 * The folder where inmem keeps what it makes for a user: the certificates of servers on this machine.
 *
 * A module of its own, so that a client finds the authority without loading what makes one. It imports no package, so
 * that the library can be imported from any folder, with no import map.
 *
 * @module
 */

import { StartError } from "../errors.ts";

/** The files in a folder of certificates. */
export interface CertificatePaths {
  readonly authority: string;
  readonly authorityKey: string;
  readonly cert: string;
  readonly key: string;
}

/** The paths of the files in `folder`. */
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
 * Where inmem keeps what it makes for a user: `$XDG_STATE_HOME/inmem`, or `~/.local/state/inmem`.
 *
 * @throws {StartError} when the environment names neither
 */
export function stateFolder(): string {
  const state = Deno.env.get("XDG_STATE_HOME");
  // The XDG base directory specification has relative paths ignored.
  if (state !== undefined && state.startsWith("/")) return within(state, "inmem");
  const home = Deno.env.get("HOME");
  if (home !== undefined && home !== "") return within(home, ".local/state/inmem");
  throw new StartError(
    "Cannot find a folder for certificates: HOME and XDG_STATE_HOME are not set; set one, give --cert and --key, " +
      "or run: inmem certs FOLDER",
  );
}
