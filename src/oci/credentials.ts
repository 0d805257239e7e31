import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "../base/errors.ts";
import type { HttpClient } from "../base/http-client.ts";
import { type Credential, withIdentityToken, withPassword } from "./credential.ts";
import { openAmazonCredentials } from "./credential-amazon.ts";
import { openGoogleCredentials } from "./credential-google.ts";
import { askCredentialHelper } from "./credential-helper.ts";
import { dockerHub, isDockerHub } from "./docker-hub.ts";

/** Finds the credential for a registry's `host[:port]`; `undefined` means to ask anonymously. */
export type CredentialSource = (host: string, call: Call) => Promise<Credential | undefined>;

const Entry = v.object({
  auth: v.optional(v.string()),
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  identitytoken: v.optional(v.string()),
});
const DockerConfig = v.object({
  auths: v.optional(v.record(v.string(), Entry), {}),
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
  credsStore: v.optional(v.string()),
});
type DockerConfig = v.InferOutput<typeof DockerConfig>;

/**
 * Looks, in this order, at `DOCKER_USERNAME` and `DOCKER_PASSWORD`; Docker's config file with its
 * credential helpers; Podman's `auth.json`; and then at what the host's own cloud knows: for ghcr.io
 * `GH_TOKEN` or `GITHUB_TOKEN`, for Amazon's registries AWS's credentials, for Google's Google's.
 * Azure's have none of their own: `az acr login` writes an identity token into Docker's config.
 *
 * The files are read each time, so that a `docker login` counts without a restart.
 */
export function credentialsFrom(
  environment: Environment,
  parts: { http: HttpClient; clock: Clock },
): CredentialSource {
  const amazon = openAmazonCredentials({ environment, ...parts });
  const google = openGoogleCredentials({ environment, ...parts });
  return async (host, call) => {
    const { DOCKER_USERNAME: username, DOCKER_PASSWORD: password } = environment;
    if (username && password) return withPassword(username, password);
    for (const path of configPaths(environment)) {
      const credential = await credentialIn(path, host, environment, call);
      if (credential) return credential;
    }
    const token = environment.GH_TOKEN || environment.GITHUB_TOKEN;
    if (host === "ghcr.io" && token) return withPassword("token", token);
    return (await amazon(host, call)) ?? google(host, call);
  };
}

function configPaths({ HOME = "", ...environment }: Environment): string[] {
  const { DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR } = environment;
  const docker = DOCKER_CONFIG || (HOME && join(HOME, ".docker"));
  const podman =
    REGISTRY_AUTH_FILE || (XDG_RUNTIME_DIR && join(XDG_RUNTIME_DIR, "containers/auth.json"));
  const saved = HOME && join(HOME, ".config/containers/auth.json");
  return [docker && join(docker, "config.json"), podman, saved]
    .filter((path) => !!path)
    .map(String);
}

async function credentialIn(
  path: string,
  host: string,
  environment: Environment,
  call: Call,
): Promise<Credential | undefined> {
  const config = await readConfig(path, call);
  if (config === undefined) return undefined;
  const helper = valueFor(config.credHelpers, host) ?? config.credsStore;
  if (helper) {
    const server = isDockerHub(host) ? dockerHub.configKey : host;
    const credential = await askCredentialHelper(helper, server, environment, call);
    if (credential) return credential;
  }
  const entry = valueFor(config.auths, host);
  return entry ? credentialOf(entry, host, path) : undefined;
}

async function readConfig(path: string, { signal }: Call): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(path, { encoding: "utf8", signal });
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCodeOf(error) ?? "")) return undefined;
    signal.throwIfAborted();
    throw unreadable(path, messageOf(error), error);
  }
  try {
    return v.parse(DockerConfig, JSON.parse(text));
  } catch (error) {
    // Neither message may be shown: both can quote the file, which holds passwords.
    throw unreadable(
      path,
      error instanceof SyntaxError ? "it is not JSON" : "it has another shape",
    );
  }
}

function credentialOf(entry: v.InferOutput<typeof Entry>, host: string, path: string) {
  if (entry.identitytoken) return withIdentityToken(entry.identitytoken);
  if (entry.username && entry.password) return withPassword(entry.username, entry.password);
  if (!entry.auth) return undefined;
  const text = Buffer.from(entry.auth, "base64").toString();
  const colon = text.indexOf(":");
  if (colon < 1) throw unreadable(path, `the "auth" of ${host} is not user:password in base64`);
  return withPassword(text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, ""));
}

/** Keys are hosts, or URLs as Docker used to write them. */
function valueFor<Value>(table: Record<string, Value>, host: string): Value | undefined {
  const isOurs = (key: string) => {
    const keyHost = key.replace(/^https?:\/\//, "").replace(/\/(v[12]\/?)?$/, "");
    return isDockerHub(host) ? isDockerHub(keyHost) : keyHost.toLowerCase() === host.toLowerCase();
  };
  return table[host] ?? Object.entries(table).find(([key]) => isOurs(key))?.[1];
}

function unreadable(path: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`cannot read the credentials in ${path}: ${why}`, {
    cause,
    hint: `repair ${path}, or remove it and run docker login again`,
  });
}
