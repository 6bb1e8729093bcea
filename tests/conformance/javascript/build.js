// Makes the component out of the plugin's one source file.

import { mkdir, writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const { component } = await componentize({
  sourcePath: "src/conformance.js",
  witPath: "wit",
  worldName: "conformance",
  // As in the template, if a plugin calls `fetch`.
  disableFeatures: ["fetch-event"],
});
await mkdir("build", { recursive: true });
await writeFile("build/conformance.wasm", component);
