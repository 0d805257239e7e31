import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { type Clock, systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { parseRegistryConfig } from "../config.ts";
import { openRegistry } from "../registry.ts";

export interface OpenedMirror {
  address: string;
  debugAddress: string;
  logger: FakeLogger;
  directory: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Resolves when the blob is stored, which its readers do not wait for. */
  stored(digest: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a registry with this `proxy` section, in a directory of its own unless one is given. */
export async function openMirrorHere(
  proxy: object,
  {
    clock = systemClock,
    directory,
    environment = {},
  }: { clock?: Clock; directory?: string; environment?: Record<string, string> } = {},
): Promise<OpenedMirror> {
  const rootdirectory = directory ?? (await mkdtemp(join(tmpdir(), "dewy-mirror-")));
  const text = JSON.stringify({
    version: 0.1,
    storage: { filesystem: { rootdirectory }, delete: { enabled: true } },
    http: {
      addr: "127.0.0.1:0",
      debug: { addr: "127.0.0.1:0", prometheus: { enabled: true } },
    },
    proxy,
  });
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const logger = new FakeLogger();
  const registry = await openRegistry(config, { clock, logger, environment });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= registry.close({ signal: AbortSignal.abort() });
    return closing;
  };
  onTestFinished(async () => {
    await close();
    await rm(rootdirectory, { recursive: true, force: true });
  });
  const get = (path: string, headers = {}) => fetch(`${registry.address}/v2/${path}`, { headers });
  const stored = (digest: string) => {
    const hex = digest.slice("sha256:".length);
    const blobs = join(rootdirectory, "mirror/docker/registry/v2/blobs/sha256");
    return vi.waitFor(() => access(join(blobs, hex.slice(0, 2), hex, "data")), 10_000);
  };
  const { address, debugAddress = "" } = registry;
  return { address, debugAddress, logger, directory: rootdirectory, get, stored, close };
}
