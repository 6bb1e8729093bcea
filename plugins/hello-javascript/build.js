// Makes the component out of the plugin's one source file.

import { mkdir, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const { component } = await componentize({
  sourcePath: "src/plugin.js",
  witPath: "wit",
  worldName: "hello",
  // What a host does not have, or this plugin does not use.
  disableFeatures: ["http", "fetch-event", "stdio"],
});
await mkdir("build", { recursive: true });
await writeFile("build/hello-javascript.wasm", component);
