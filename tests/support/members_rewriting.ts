/**
 * The ways in which people and programs replace a `servers.json`.
 *
 * @module
 */

/** Replaces the file in one folder repeatedly. */
export interface Rewriter {
  /** The path of the file. */
  readonly path: string;
  /** Replaces the content by `text`. It must not be called again before it is done. */
  write(text: string): Promise<void>;
}

/** Returns a rewriter for an empty folder. */
export type Rewriting = (folder: string) => Rewriter;

/** All ways, by name. */
export const REWRITINGS = {
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

  // The link is current → 7, as releases are installed.
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

  // The links are servers.json → ..data/servers.json and ..data → ..7, as Kubernetes makes them.
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
} as const satisfies Readonly<Record<string, Rewriting>>;

/** The name of a way. */
export type RewritingName = keyof typeof REWRITINGS;
