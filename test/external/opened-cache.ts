import { onTestFinished } from "vitest";
import type { Cache } from "../../src/agent/cache.ts";
import { openCache } from "../../src/agent/caches/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";

/** What the apps of a host share by the cache at `url`; it is closed with the test. */
export async function openedCache(
  url: string,
  environment: Record<string, string> = {},
  clock = systemClock,
): Promise<Cache> {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const driver = await openCache(url, { http, clock, environment });
  onTestFinished(async () => {
    await driver.close();
    http.close();
  });
  const cache = await driver.openShared(undefined);
  if (cache === undefined) throw new Error(`${url} shares nothing`);
  return cache;
}
