/**
 * Makes the program take this system for the one that `INMEM_TEST_OS` names, by `deno run --preload`: its name, and the
 * signals that Deno has there.
 */

const os = Deno.env.get("INMEM_TEST_OS");
Object.defineProperty(Deno, "build", { value: { ...Deno.build, os } });
if (os === "windows") {
  const { addSignalListener } = Deno;
  Deno.addSignalListener = (signal, handler) => {
    if (signal !== "SIGINT" && signal !== "SIGBREAK") throw new TypeError(`Windows has no ${signal}`);
    addSignalListener(signal, handler);
  };
}
