// @ts-types="./std_yaml.d.ts"
export * from "deno-std/yaml/mod.js";
