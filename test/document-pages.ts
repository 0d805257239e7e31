import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCache } from "../src/agent/caches/index.ts";
import { openNotifiers } from "../src/agent/notifiers/index.ts";
import { openReleaseRegistry } from "../src/agent/registries/index.ts";
import { systemClock } from "../src/base/clock.ts";
import type { Environment } from "../src/base/environment.ts";
import { ConfigError } from "../src/base/errors.ts";
import { openHttpClient } from "../src/base/http-client.ts";
import { silentLogger } from "../src/base/logger.ts";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const read = (name: string): string => readFileSync(join(root, name), "utf8");

/** What a page is about: one scheme of one table of drivers. */
export interface Scheme {
  family: Family;
  scheme: string;
}

export type Family = keyof typeof opens;

/** Where each driver is described. A driver without a page here fails the test that asks for it. */
const pageNames: Record<string, string | undefined> = {
  ghr: "github-releases",
  s3: "s3",
  gs: "google-cloud-storage",
  img: "oci",
  grpc: "grpc",
  file: "file",
  memory: "memory",
  redis: "redis",
  rediss: "redis",
  consul: "consul",
  slack: "slack",
  mail: "mail",
  smtp: "mail",
};

/** What stands behind `scheme://` in a URL that is right. */
const places: Record<Family, Record<string, string | undefined>> = {
  registries: { ghr: "owner/app", s3: "x/bucket", gs: "bucket", img: "a.test/app", grpc: "a.test" },
  caches: { redis: "a.test", rediss: "a.test", consul: "a.test", s3: "x/bucket", gs: "bucket" },
  notifiers: { slack: "channel", mail: "a.test/me@a.test", smtp: "a.test/me@a.test" },
};

const environment = { GITHUB_TOKEN: "token", SLACK_TOKEN: "token", MAIL_FROM: "me@a.test" };
const unknown = "qqqqqqqq";

export function pageOf({ family, scheme }: Scheme): string {
  return `${family}/${pageNames[scheme] ?? `(none for ${scheme})`}.md`;
}

/** Every driver there is, as the programs name them when somebody asks for one that is not there. */
export async function allSchemes(): Promise<Scheme[]> {
  const found: Scheme[] = [];
  for (const family of ["registries", "caches", "notifiers"] as const) {
    const hint = await refusalOf(family, `${unknown}://x`);
    found.push(...choices(hint).map((one) => ({ family, scheme: one.replace("://", "") })));
  }
  return found;
}

/** What a driver takes in its query, by its own word. */
export async function queryOptionsOf({ family, scheme }: Scheme): Promise<string[]> {
  const place = places[family][scheme] ?? "";
  return choices(await refusalOf(family, `${scheme}://${place}?${unknown}=1`));
}

const choices = (hint: string): string[] => hint.replace(/^choose from: /, "").split(", ");

async function refusalOf(family: Family, url: string): Promise<string> {
  try {
    await opens[family](url, environment);
  } catch (error) {
    if (error instanceof ConfigError && error.hint?.startsWith("choose from: ")) return error.hint;
    throw error;
  }
  throw new Error(`${url} was not refused`);
}

/** Opens what a URL names, as a start of the agent would; nobody is asked. @throws {ConfigError} */
export const opens = {
  registries: (url: string, given: Environment) =>
    withParts(given, async (parts) => {
      await (await openReleaseRegistry(url, parts)).registry.close();
    }),
  caches: (url: string, given: Environment) =>
    withParts(given, async (parts) => (await openCache(url, parts)).close()),
  notifiers: (url: string, given: Environment) =>
    withParts(given, async (parts) => {
      const identity = { app: "app", host: "host", mode: "server" } as const;
      const opened = await openNotifiers([url], { ...parts, identity, directory: "/srv" });
      await opened.close({ signal: AbortSignal.timeout(1_000) });
    }),
};

type Parts = ReturnType<typeof partsFor>;

async function withParts(given: Environment, work: (parts: Parts) => Promise<void>): Promise<void> {
  const parts = partsFor(given);
  try {
    await work(parts);
  } finally {
    parts.http.close();
  }
}

const partsFor = (given: Environment) => ({
  http: openHttpClient({ userAgent: "dewy/test", environment: given }),
  environment: given,
  clock: systemClock,
  logger: silentLogger,
});
