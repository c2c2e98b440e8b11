// @ts-types="./std_msgpack.d.ts"
export * from "deno-std/msgpack/mod.js";
