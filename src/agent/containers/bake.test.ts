import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { HealthOptions } from "../readiness/health.ts";
import { type BakeParts, bakeReplicas } from "./bake.ts";
import type { ReleaseImage } from "./release-image.ts";
import type { Container } from "./runtime.ts";

const call = { signal: new AbortController().signal };
const image = {
  ...{ tag: "v2", reference: "r/app@sha256:2", digest: "sha256:2" },
} as unknown as ReleaseImage;

it("fails by a new replica that has lost the traffic meanwhile, and is none of the rollout's any more", async () => {
  const health = { command: "exit 1", timeoutMs: 30_000, bakeMs: 1 } as HealthOptions;
  const place = { directory: tmpdir(), environment: {} };
  const parts = {
    fleet: { probeOf: async () => ({ health, place, addresses: [], hasHealthcheck: false }) },
    runtime: { inspect: async () => ({ state: "running" }) },
    traffic: { loads: async () => new Map() },
    logger: new FakeLogger(),
  } as unknown as BakeParts;
  const fresh = [{ id: "1", name: "web-1" } as Container];

  const baking = bakeReplicas(image, { fresh, old: [] }, health, parts, call);
  fresh.length = 0;

  await expect(baking).rejects.toMatchObject({ code: "UNHEALTHY" });
});
