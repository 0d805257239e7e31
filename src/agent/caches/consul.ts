import * as v from "valibot";
import { collect } from "../../base/bytes.ts";
import { type Call, isEchoOf, withTimeout } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, DewyError } from "../../base/errors.ts";
import type { HttpAnswer } from "../../base/http-client.ts";
import { YesOrNo } from "../../base/schema.ts";
import { Secret } from "../../base/secret.ts";
import { type Cache, CacheError, checkEntry } from "../cache.ts";
import {
  type CacheUrl,
  hostIn,
  parseCacheQuery,
  refuseUser,
  Text,
  unescaped,
} from "./cache-url.ts";
import { type CacheParts, type OpenCacheDriver, remoteDriver } from "./driver.ts";
import { observedAges } from "./observed-ages.ts";

const waitMs = 6_000;
/** A value of 512 KiB comes in base64, in JSON. */
const maximumAnswerBytes = 1024 * 1024;
const hourMs = 3_600_000;
const dewyPrefix = "dewy";

/** Consul's HTTP API, "KV Store": one entry by its key. */
const Found = v.tuple([
  v.object({
    ModifyIndex: v.pipe(v.number(), v.safeInteger()),
    Flags: v.number(),
    Value: v.nullable(v.string()),
  }),
]);

/**
 * `consul://host[:port][/prefix][?token=&tls=]`. Its values are too small for artifacts.
 *
 * Consul keeps no times, and its agents answer with the clock of the host they run on. So an age
 * begins when this process first sees a version. Flags, which are ours to use, hold the writer's
 * time, and are believed where it differs by more than clocks do: an agent that starts must not take
 * last week's answer for a new one.
 */
export const openConsulDriver: OpenCacheDriver = async (url, parts) => {
  const { registryTtlMs, ...place } = placeOf(url, parts.environment);
  return remoteDriver(openConsulCache(place, parts), registryTtlMs, parts);
};

interface ConsulPlace {
  /** Of the URL of each key. */
  base: string;
  name: string;
  token: Secret | undefined;
}

function openConsulCache({ base, token, name }: ConsulPlace, { http, clock }: CacheParts): Cache {
  const headers = token ? { "x-consul-token": token } : {};
  const ages = observedAges();
  return {
    name,
    artifacts: undefined,

    async read(key, call) {
      checkEntry(key);
      const answer = await ask({ method: "GET", path: key }, call, [200, 404]);
      if (answer === undefined) return undefined;
      const [{ ModifyIndex, Flags, Value }] = entryIn(answer, name);
      const version = `${ModifyIndex}`;
      const wallMs = clock.now().getTime() - Flags;
      const ageMs = Math.max(ages.of(key, version), wallMs > hourMs ? wallMs : 0);
      return { value: Buffer.from(Value ?? "", "base64"), version, ageMs };
    },

    async write(key, value, { ifVersion }, call) {
      checkEntry(key, value);
      const index = ifVersion === "absent" ? "0" : ifVersion;
      const condition = ifVersion === "any" ? "" : `&cas=${index}`;
      const path = `${key}?flags=${clock.now().getTime()}${condition}`;
      const done = await ask({ method: "PUT", path, body: value }, call, [200]);
      if (done?.trim() !== "true") return undefined;
      const answer = await ask({ method: "GET", path: key }, call, [200, 404]);
      return answer && writtenVersion(entryIn(answer, name), value);
    },

    close: async () => {},
  };

  /** @returns the text of the answer; `undefined` for 404 */
  async function ask(
    { method, path, body }: { method: string; path: string; body?: Uint8Array },
    call: Call,
    statuses: readonly number[],
  ): Promise<string | undefined> {
    call.signal.throwIfAborted();
    const request = { method, url: `${base}${path}`, headers, body, redirect: "manual" } as const;
    try {
      return await withTimeout(`the answer of ${name}`, waitMs, call, async (limited) => {
        const answer = await http.request(request, limited);
        const text = (await collect(answer.body, maximumAnswerBytes)).toString();
        if (!statuses.includes(answer.status)) throw refusal(name, answer, text);
        return answer.status === 404 ? undefined : text;
      });
    } catch (error) {
      if (isEchoOf(call.signal, error) || error instanceof CacheError) throw error;
      if (!(error instanceof DewyError)) throw error;
      const { message, hint } = error;
      throw new CacheError("UNAVAILABLE", `${name}: ${message}`, { cause: error, hint });
    }
  }
}

/** Consul does not tell the version that it has made. Another's in its place is not ours. */
function writtenVersion(
  [{ ModifyIndex, Value }]: v.InferOutput<typeof Found>,
  value: Uint8Array,
): string | undefined {
  return Buffer.from(Value ?? "", "base64").equals(value) ? `${ModifyIndex}` : undefined;
}

function entryIn(answer: string, name: string): v.InferOutput<typeof Found> {
  try {
    return v.parse(Found, JSON.parse(answer));
  } catch (cause) {
    throw new CacheError("INVALID_ANSWER", `${name}: the answer is none of Consul's`, {
      cause,
      hint: "check the host and the port; 8500 is the usual one",
    });
  }
}

function placeOf(url: CacheUrl, { CONSUL_HTTP_TOKEN }: Environment) {
  refuseUser(url, "write the token as ?token=, or set CONSUL_HTTP_TOKEN");
  if (url.query.has("max-size")) {
    throw new ConfigError("--cache: consul:// takes no max-size in its query", {
      hint: "leave it out: Consul holds answers of the registry, and no artifacts",
    });
  }
  const query = parseCacheQuery(url, { token: Text, tls: v.optional(YesOrNo, "false") });
  const defaultPort = query.tls ? 8501 : 8500;
  const { host, port, path } = hostIn(url, defaultPort, "consul://127.0.0.1:8500/prefix");
  const segments = (path || dewyPrefix).split("/").map(unescaped);
  if (segments.some((segment) => ["", ".", ".."].includes(segment))) {
    throw new ConfigError("--cache: the prefix has an empty part, or one of dots", {
      hint: "write it as consul://127.0.0.1:8500/team/dewy",
    });
  }
  const prefix = segments.map(encodeURIComponent).join("/");
  const token = query.token ?? CONSUL_HTTP_TOKEN;
  return {
    base: `${query.tls ? "https" : "http"}://${host}:${port}/v1/kv/${prefix}/`,
    name: `consul://${host}:${port}/${prefix}`,
    token: token ? new Secret(token) : undefined,
    registryTtlMs: query["registry-ttl"],
  };
}

function refusal(name: string, answer: HttpAnswer, text: string): CacheError {
  const said = answer.conceal(text).trim().slice(0, 300);
  const message = `${name} answered ${answer.status}: ${said}`;
  if ([401, 403].includes(answer.status)) {
    return new CacheError("UNAUTHORIZED", message, {
      hint: "give a token in CONSUL_HTTP_TOKEN that may write under the prefix (key_prefix)",
    });
  }
  return new CacheError("UNAVAILABLE", message, { hint: "look at the log of that Consul agent" });
}
