import * as v from "valibot";
import { ByteCount, parseDuration } from "../../base/schema.ts";
import { Secret } from "../../base/secret.ts";
import { isRepository } from "../../oci/reference.ts";

const durationForm = "write a duration such as 168h, or 0";

/** As Distribution reads it: Go's notation, or a bare number of nanoseconds. In milliseconds. */
const Duration = v.pipe(
  v.union([v.string(), v.number()], durationForm),
  v.transform((value) =>
    typeof value === "number" ? value / 1e6 : parseDuration(value.replace(/^0$/, "0s")),
  ),
  v.number(durationForm),
  v.minValue(0, durationForm),
);

/** A number has lost its leading zeros before we see it, so a password must be a text. */
const Text = v.string("write it in quotes, so that every digit of it counts");

const RemoteUrl = v.pipe(
  v.string("write it as https://host"),
  v.check(isRegistryUrl, "write it as https://host, without a user, a query or a fragment"),
  v.transform((text) => new URL(text)),
);

const access = {
  remoteurl: RemoteUrl,
  username: v.optional(Text),
  password: v.optional(
    v.pipe(
      Text,
      v.transform((text) => new Secret(text)),
    ),
  ),
  exec: v.optional(
    v.strictObject({
      command: v.pipe(v.string("write the name of a program"), v.nonEmpty("name a program")),
      lifetime: v.optional(Duration),
    }),
  ),
};

const Upstream = v.pipe(
  v.strictObject({
    ...access,
    prefix: v.pipe(
      v.string("write a name such as docker.io"),
      v.check(isRepository, "write a name such as docker.io, as it begins a repository"),
    ),
  }),
  v.forward(
    v.check((given) => isSignInWhole(given), "write username and password, or neither"),
    ["password"],
  ),
);

/** `proxy` of the configuration: Distribution's keys, and ours for many registries at once. */
export const ProxyOptions = v.pipe(
  v.strictObject({
    ...access,
    remoteurl: v.optional(RemoteUrl),
    /** How long what nobody pulls is kept; 0 for ever. */
    ttl: v.optional(Duration, "168h"),
    /** The most bytes the cache may have. */
    maxsize: v.optional(
      v.pipe(
        v.union([v.string(), v.number()], "write a size such as 10GiB"),
        v.transform(String),
        ByteCount,
        v.minValue(1, "write a size above 0"),
      ),
    ),
    /** How long a tag is served without asking its registry again. */
    tagttl: v.optional(Duration, "5s"),
    /** How long the one who pulls a tag waits for its registry when there is a stored answer. */
    patience: v.optional(Duration, "900ms"),
    /** Of Distribution; see `config-notes.ts`. */
    cachewritetimeout: v.optional(Duration),
    upstreams: v.optional(v.array(Upstream, "write a list"), []),
  }),
  v.check(
    ({ remoteurl, upstreams }) => remoteurl !== undefined || upstreams.length > 0,
    "write remoteurl: https://host, or a list of upstreams",
  ),
  v.forward(
    v.check((given) => isSignInWhole(given), "write username and password, or neither"),
    ["password"],
  ),
  v.forward(
    v.check(
      ({ upstreams }) => new Set(upstreams.map(({ prefix }) => prefix)).size === upstreams.length,
      "each prefix may be there once",
    ),
    ["upstreams"],
  ),
);
export type ProxyOptions = v.InferOutput<typeof ProxyOptions>;
export type UpstreamAccess = Pick<
  v.InferOutput<typeof Upstream>,
  "remoteurl" | "username" | "password" | "exec"
>;

function isSignInWhole({ username, password }: { username?: unknown; password?: unknown }) {
  return (username === undefined) === (password === undefined);
}

function isRegistryUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return false;
  return [url.username, url.password, url.search, url.hash].every((part) => part === "");
}
