import type { AppOptions } from "../app-options.ts";

/** The options of an app in a directory of its own, which need not be there. */
export function fakeApp(name: string, changed: Partial<AppOptions> = {}): AppOptions {
  return {
    name,
    mode: "server",
    registry: `ghr://owner/${name}`,
    ports: [],
    command: ["current/app"],
    directory: `/nowhere/${name}`,
    intervalMs: 10_000,
    drainMs: 30_000,
    handover: false,
    cache: undefined,
    notifiers: [],
    scrubEnvironment: false,
    failureLimit: 3,
    environment: { PATH: "/bin" },
    userAgent: "dewy/0.0.0",
    ...changed,
  };
}
