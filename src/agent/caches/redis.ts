import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, messageOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { type Cache, CacheError, checkEntry } from "../cache.ts";
import { type CacheUrl, hostIn, parseCacheQuery, Text } from "./cache-url.ts";
import { type OpenCacheDriver, remoteDriver } from "./driver.ts";
import { redisArtifacts } from "./redis-artifacts.ts";
import { connectRedis, type RedisPlace } from "./redis-connection.ts";
import { readEntry, writeEntry } from "./redis-scripts.ts";

const defaultPort = 6379;
/** An entry is written anew in each window; one that is not belongs to nobody any more. */
const entryLifeMs = 30 * 86_400_000;
const defaultMaximumBytes = 1024 ** 3;

const Database = v.optional(v.pipe(v.string(), v.regex(/^\d{1,5}$/, "write a number, such as 0")));

/** `redis[s]://[user:password@]host[:port][/db][?db=&ca=PATH]`; connects when it is first asked. */
export const openRedisDriver: OpenCacheDriver = async (url, parts) => {
  const query = parseCacheQuery(url, { db: Database, ca: Text });
  const place = await placeOf(url, query, parts.environment);
  const maximumBytes = query["max-size"] ?? defaultMaximumBytes;
  const cache = openRedisCache(url.scheme, place, maximumBytes);
  return remoteDriver(cache, query["registry-ttl"], parts);
};

function openRedisCache(scheme: string, place: RedisPlace, maximumBytes: number): Cache {
  const name = `${scheme}://${place.host}:${place.port}/${place.database}`;
  const connection = connectRedis(name, place);

  return {
    name,
    artifacts: redisArtifacts(connection, { name, maximumBytes }),

    async read(key, call) {
      checkEntry(key);
      const found = await connection.command("EVAL", [readEntry, "1", keyOf(key)], call);
      if (!Array.isArray(found)) return undefined;
      const [value, version, ageMs] = found;
      if (!Buffer.isBuffer(value))
        throw new CacheError("INVALID_ANSWER", `${name}: no such answer`);
      return { value, version: String(version), ageMs: Number(ageMs) };
    },

    async write(key, value, { ifVersion }, call) {
      checkEntry(key, value);
      const version = randomUUID();
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
      const wish = [bytes, ifVersion, version, `${entryLifeMs}`];
      const done = await connection.command("EVAL", [writeEntry, "1", keyOf(key), ...wish], call);
      return Number(done) === 1 ? version : undefined;
    },

    close: async () => connection.close(),
  };
}

const keyOf = (key: string): string => `dewy:entry:${key}`;

async function placeOf(
  url: CacheUrl,
  { db, ca }: { db?: string | undefined; ca?: string | undefined },
  { REDIS_PASSWORD }: Environment,
): Promise<RedisPlace> {
  const isEncrypted = url.scheme === "rediss";
  const { host, port, path } = hostIn(url, defaultPort, `${url.scheme}://host:${defaultPort}`);
  if (!/^\d{0,5}$/.test(path) || (path !== "" && db !== undefined)) {
    throw new ConfigError(`--cache: ${url.scheme}://${host}:${port} has no one database`, {
      hint: `write its number once, such as ${url.scheme}://${host}:${port}/0`,
    });
  }
  if (ca !== undefined && !isEncrypted) {
    throw new ConfigError("--cache: ca is for TLS, and redis:// has none", {
      hint: "write rediss://, or leave out ca",
    });
  }
  const environmental = REDIS_PASSWORD ? new Secret(REDIS_PASSWORD) : undefined;
  return {
    ...{ host, port, user: url.user, password: url.password ?? environmental },
    database: Number(db ?? path),
    tls: isEncrypted ? { ca: ca && (await certificatesIn(ca)) } : undefined,
  };
}

async function certificatesIn(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (cause) {
    throw new ConfigError(`--cache: ca: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  throw new ConfigError(`--cache: ca: there is no certificate in ${path}`, {
    hint: "name a file of PEM certificates",
  });
}
