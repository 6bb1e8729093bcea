// What the host has for a plugin: the modules are there once it is a component.

declare module "wasi:logging/logging@0.1.0-draft" {
  const logging: { log(level: "debug" | "info" | "warn" | "error", context: string, message: string): void };
  export default logging;
}

declare module "wasi:random/random@0.2.0" {
  const random: { getRandomU64(): number };
  export default random;
}

type Print = (...values: unknown[]) => void;
declare var console: Record<"debug" | "log" | "info" | "warn" | "error", Print>;
