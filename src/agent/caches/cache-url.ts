import * as v from "valibot";
import { ConfigError } from "../../base/errors.ts";
import { ByteCount, parseDuration } from "../../base/schema.ts";
import { Secret } from "../../base/secret.ts";
import { checkQuery, readQuery } from "../url-query.ts";

/** A cache URL in its parts, before any scheme has looked at them. */
export interface CacheUrl {
  scheme: string;
  /** Between `://` and the query, without user and password; still escaped. */
  place: string;
  user: string | undefined;
  password: Secret | undefined;
  query: ReadonlyMap<string, string>;
}

/** @throws {ConfigError} which shows nothing that may be a secret */
export function parseCacheUrl(url: string): CacheUrl {
  const [, scheme, before, rest = "", query = ""] =
    /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?([^?#]*)(?:\?(.*))?$/i.exec(url) ?? [];
  if (scheme === undefined) {
    const isWord = /^[a-z]+$/i.test(url);
    const shown = isWord ? url : url.replace(/^.*@/s, "***@") || "(nothing)";
    throw new ConfigError(`--cache: ${shown} is not of the form scheme://place`, {
      hint: isWord ? `write ${url}://` : "write it as file:///directory or redis://host:port",
    });
  }
  if (scheme.toLowerCase() !== "file" && /@/.test(rest + query)) {
    throw new ConfigError("--cache: there is an @ where no user and password can be", {
      hint: "write in a password %2F for a /, %3F for a ?, %23 for a # and %40 for an @",
    });
  }
  const [user, ...password] = before?.split(":") ?? [];
  return {
    scheme: scheme.toLowerCase(),
    place: rest.replace(/\/+$/, ""),
    user: user ? unescaped(user) : undefined,
    password: password.length > 0 ? new Secret(unescaped(password.join(":"))) : undefined,
    query: readQuery("--cache", query),
  };
}

/** @throws {ConfigError} */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("--cache: the URL has a % that escapes nothing", {
      hint: "write a % itself as %25",
    });
  }
}

export const Text = v.optional(
  v.pipe(v.string(), v.minLength(1, "write a value, or leave it out")),
);

/** What every cache takes in its query. */
const commonQuery = {
  "registry-ttl": v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => (text === "0" ? 0 : parseDuration(text))),
      v.number("write a duration, such as 30s or 5m"),
      v.maxValue(86_400_000, "that is longer than a day: write 1d or less"),
    ),
    "0",
  ),
  "max-size": v.optional(
    v.pipe(ByteCount, v.minValue(1024 ** 2, "write at least 1MiB, such as 10GiB")),
  ),
};

/** Checks a query against what a scheme takes. @throws {ConfigError} naming the nearest known key */
export function parseCacheQuery<const Entries extends v.ObjectEntries>(
  url: CacheUrl,
  entries: Entries,
): v.InferOutput<v.StrictObjectSchema<Entries & typeof commonQuery, undefined>> {
  return checkQuery("--cache", url, { ...commonQuery, ...entries });
}

/** Nobody logs in to this one. @throws {ConfigError} */
export function refuseUser({ scheme, user, password }: CacheUrl, hint: string): void {
  if (user === undefined && password === undefined) return;
  throw new ConfigError(`--cache: ${scheme}:// takes no user or password in the URL`, { hint });
}

/** `host[:port][/rest]`. @throws {ConfigError} */
export function hostIn({ scheme, place }: CacheUrl, defaultPort: number, example: string) {
  const [, host, port = `${defaultPort}`, path = ""] =
    /^([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(?:\/(.*))?$/i.exec(place) ?? [];
  const number = Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    // Not shown: somebody may have forgotten the host, and then it is a password.
    throw new ConfigError(`--cache: after ${scheme}:// there is no host and port`, {
      hint: `write it as ${example}`,
    });
  }
  return { host, port: number, path };
}
