import type { Redis } from "ioredis";
import { type Call, isEchoOf, orAborted, TimeoutError, withTimeout } from "../../base/call.ts";
import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { unreachable } from "../../base/http-error.ts";
import { concealed, type Secret } from "../../base/secret.ts";
import { CacheError } from "../cache.ts";

export interface RedisPlace {
  host: string;
  port: number;
  database: number;
  user: string | undefined;
  password: Secret | undefined;
  /** PEM certificates of who may have signed the server's, for `rediss`; the system's when empty. */
  tls: { ca: string | undefined } | undefined;
}

/** A connection that is made when it is first needed, and again after it was lost. */
export interface RedisConnection {
  /** What comes back is bytes and numbers, in lists. @throws {CacheError} */
  command(name: string, parameters: readonly (string | Buffer)[], call: Call): Promise<unknown>;
  close(): void;
}

const connectMs = 3_000;
const commandMs = 6_000;

export function connectRedis(name: string, place: RedisPlace): RedisConnection {
  let opening: Promise<Redis> | undefined;
  let selecting: Promise<unknown> | undefined;
  let closed = false;
  let lastError: unknown;

  return {
    async command(command, parameters, call) {
      call.signal.throwIfAborted();
      try {
        return await withTimeout("the answer", commandMs, call, async ({ signal }) => {
          opening ??= open();
          const redis = await orAborted(opening, signal);
          await orAborted(selected(redis), signal);
          return await orAborted(redis.callBuffer(command, ...parameters), signal);
        });
      } catch (error) {
        selecting = undefined;
        if (isEchoOf(call.signal, error)) throw error;
        throw failure(name, place, error, lastError);
      }
    },

    close() {
      closed = true;
      opening?.then((redis) => redis.disconnect()).catch(() => {});
    },
  };

  /** By hand, once a connection: the client goes on in database 0 when it is refused another one. */
  async function selected(redis: Redis): Promise<void> {
    if (place.database === 0) return;
    selecting ??= redis.callBuffer("SELECT", place.database);
    await selecting;
  }

  async function open(): Promise<Redis> {
    const { Redis } = await import("ioredis");
    const redis = new Redis(optionsFor(place));
    // Told with the command that fails; without a listener it would be printed.
    redis.on("error", (error) => {
      lastError = error;
    });
    redis.on("close", () => {
      selecting = undefined;
    });
    redis.on("ready", () => {
      lastError = undefined;
    });
    if (closed) redis.disconnect();
    return redis;
  }
}

function optionsFor({ host, port, database, user, password, tls }: RedisPlace) {
  return {
    protocol: 2, // RESP3 begins with Redis 6
    ...{ host: host.replace(/^\[|\]$/g, ""), port, db: database, lazyConnect: true },
    ...(user !== undefined && { username: user }),
    ...(password && { password: password.reveal() }),
    ...(tls && { tls: tls.ca === undefined ? {} : { ca: tls.ca } }),
    connectTimeout: connectMs,
    connectionName: "dewy",
    enableReadyCheck: false, // INFO needs a permission that we need for nothing else
    // A poll that waits for a cache that is down must not wait long; the next one tries again.
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(times * 500, 15_000),
  } as const;
}

/** Never with the client's error as its cause: that one holds the command, and so the password. */
function failure(name: string, place: RedisPlace, error: unknown, lastError: unknown): CacheError {
  if (error instanceof CacheError) return error;
  const secrets = place.password ? [place.password] : [];
  const said = concealed(messageOf(error), secrets);
  const behind = concealed(messageOf(lastError ?? error), secrets);
  if (/^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH)/m.test(`${said}\n${behind}`)) {
    return new CacheError("UNAUTHORIZED", `${name} refuses this host: ${behind || said}`, {
      hint: "check the user and password in --cache or REDIS_PASSWORD, and what the user may do",
    });
  }
  const cause = systemCodeOf(lastError) === undefined ? undefined : lastError;
  if (cause !== undefined) {
    const { message, hint } = unreachable(`${place.host}:${place.port}`, cause);
    return new CacheError("UNAVAILABLE", `${name}: ${message}`, { hint });
  }
  const isLost = /max retries per request|Connection is closed/.test(behind);
  const what = error instanceof TimeoutError ? said : isLost ? "it closed the connection" : behind;
  return new CacheError("UNAVAILABLE", `${name}: ${what}`, {
    hint: "check that Redis runs there, and that it speaks TLS if and only if the URL is rediss://",
  });
}
