import { mkdtemp, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { type BuiltInOptions, openBuiltIn } from "./built-in.ts";
import { askProxy } from "./proxy-protocol.ts";

export const program = fileURLToPath(new URL("../../../dist/src/proxy-main.js", import.meta.url));
export const ours = { idleMs: 0, proxyProtocol: false, version: "1", program };

export async function aPlace() {
  const directory = await mkdtemp(join(tmpdir(), "dewy-built-in-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const options: BuiltInOptions = { ...ours, directory, ports: [port] };
  return { options, port };
}

export async function opened(options: BuiltInOptions, signal: AbortSignal) {
  const parts = { logger: new FakeLogger(), clock: systemClock };
  const plane = await openBuiltIn(options, parts, { signal });
  onTestFinished(() => plane.close({ keep: false }));
  return plane;
}

export const tell = (directory: string, request: Parameters<typeof askProxy>[1]) =>
  askProxy(join(directory, "proxy.sock"), request, { signal: AbortSignal.timeout(10_000) });

/** Of the process that agents reach. */
export async function pidOf({ directory }: { directory: string }): Promise<number> {
  const { pid } = await tell(directory, { do: "attach" });
  if (pid === undefined) throw new Error("no process");
  return pid;
}

export function hasEnded(pid: number): Promise<boolean> {
  return readlink(`/proc/${pid}/exe`).then(
    () => false,
    () => true,
  );
}
