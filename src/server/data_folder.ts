/**
 * Where a server keeps its data unless `--data` names a folder: beside the certificates, in the user's state folder, so
 * that a start from another working folder finds the same data.
 *
 * Before, it was `./inmem-data`. A start that would lose sight of such data is refused.
 *
 * @module
 */

import { StartError } from "../errors.ts";
import { stateFolder } from "../role/state_folder.ts";

/** The default of earlier versions, in the working folder. */
const FORMER_FOLDER = "./inmem-data";

/**
 * Returns the folder of `--data`, or its default.
 *
 * @param state returns the state folder
 * @param former the former default
 * @throws {StartError} when the environment names no state folder, or data of an earlier version would not be used
 */
export function chooseDataFolder(
  given: string | undefined,
  state = () => stateFolder("data", "--data FOLDER or --no-persist"),
  former = FORMER_FOLDER,
): string {
  if (given !== undefined) return given;
  const folder = `${state()}/data`;
  if (!isFolder(former) || isFolder(folder)) return folder;
  throw new StartError(
    `Cannot choose a data folder: an earlier version kept its data in "${former}", and the default is now ` +
      `"${folder}"; move the data there, or give --data ${former}`,
  );
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
