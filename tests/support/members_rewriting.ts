/**
 * The ways in which people and programs replace a `servers.json`.
 *
 * @module
 */

/** Replaces the file in one folder, again and again. */
export interface Rewriter {
  /** The file. */
  readonly path: string;
  /** Lets it hold `text`; not to be called again before that is done. */
  write(text: string): Promise<void>;
}

/** A way, for a folder that is empty. */
export type Rewriting = (folder: string) => Rewriter;

/** All of them, by name. */
export const REWRITINGS: Readonly<Record<string, Rewriting>> = {
  "in place": (folder) => {
    const path = `${folder}/servers.json`;
    return { path, write: (text) => Deno.writeTextFile(path, text) };
  },

  "by rename": (folder) => {
    const path = `${folder}/servers.json`;
    return {
      path,
      async write(text) {
        await Deno.writeTextFile(`${path}.new`, text);
        await Deno.rename(`${path}.new`, path);
      },
    };
  },

  "deleted and written again": (folder) => {
    const path = `${folder}/servers.json`;
    return {
      path,
      async write(text) {
        await Deno.remove(path).catch(() => {});
        await Deno.writeTextFile(path, text);
      },
    };
  },

  "with its folder": (folder) => {
    const path = `${folder}/made/servers.json`;
    return {
      path,
      async write(text) {
        await Deno.remove(`${folder}/made`, { recursive: true }).catch(() => {});
        await Deno.mkdir(`${folder}/made`);
        await Deno.writeTextFile(path, text);
      },
    };
  },

  // current → 7, as releases are put in place.
  "by a link to its folder": (folder) => {
    let version = 0;
    return {
      path: `${folder}/current/servers.json`,
      async write(text) {
        const name = `${++version}`;
        await Deno.mkdir(`${folder}/${name}`);
        await Deno.writeTextFile(`${folder}/${name}/servers.json`, text);
        await Deno.symlink(name, `${folder}/next`);
        await Deno.rename(`${folder}/next`, `${folder}/current`);
        if (version > 1) await Deno.remove(`${folder}/${version - 1}`, { recursive: true });
      },
    };
  },

  // servers.json → ..data/servers.json and ..data → ..7, as Kubernetes does it.
  "by links": (folder) => {
    const path = `${folder}/servers.json`;
    let version = 0;
    return {
      path,
      async write(text) {
        const name = `..${++version}`;
        await Deno.mkdir(`${folder}/${name}`);
        await Deno.writeTextFile(`${folder}/${name}/servers.json`, text);
        await Deno.symlink(name, `${folder}/..data_tmp`);
        await Deno.rename(`${folder}/..data_tmp`, `${folder}/..data`);
        if (version === 1) await Deno.symlink("..data/servers.json", path);
        else await Deno.remove(`${folder}/..${version - 1}`, { recursive: true });
      },
    };
  },
};
