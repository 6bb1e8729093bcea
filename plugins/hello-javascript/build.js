// Makes the component out of the plugin's source files.

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

// With `fetch`, the component imports wasi:http, which an operator has to grant. A package that calls it does not show here.
const files = (await readdir("src", { recursive: true })).filter((name) => name.endsWith(".js"));
const sources = await Promise.all(files.map((name) => readFile(`src/${name}`, "utf8")));
const fetches = sources.some((source) => /\bfetch\b/.test(source));

const { component } = await componentize({
  sourcePath: "src/plugin.js",
  witPath: "wit",
  worldName: "hello",
  disableFeatures: fetches ? ["fetch-event"] : ["http", "fetch-event"],
});
await mkdir("build", { recursive: true });
await writeFile("build/hello-javascript.wasm", component);
