// @ts-types="./std_path.d.ts"
export * from "deno-std/path/mod.js";
