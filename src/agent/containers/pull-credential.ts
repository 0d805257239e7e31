import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { writeFileWhole } from "../../base/atomic-file.ts";
import type { Environment } from "../../base/environment.ts";
import type { Credential } from "../../oci/credential.ts";
import { dockerHub, isDockerHub } from "../../oci/docker-hub.ts";
import type { PullOptions } from "./runtime.ts";

const prefix = "pull-";
/** What docker finds beside its config: where the engines of contexts are, and how it signs in there. */
const beside = ["contexts", "ca.pem", "cert.pem", "key.pem"];

/**
 * Calls `work` with a directory that has the credential of one pull in a `config.json`, for as long as
 * that lasts: the user's own Docker config stays as it is. Which engine is meant stays the same too.
 */
export async function withCredential<Result>(
  { credential, host }: Pick<PullOptions, "credential" | "host">,
  { directory, environment }: { directory: string; environment: Environment },
  work: (place: string | undefined) => Promise<Result>,
): Promise<Result> {
  if (credential === undefined) return work(undefined);
  const place = join(directory, `${prefix}${randomUUID()}`);
  await mkdir(place, { mode: 0o700, recursive: true });
  try {
    const { DOCKER_CONFIG, HOME } = environment;
    const own = DOCKER_CONFIG || (HOME && join(HOME, ".docker"));
    if (own) {
      for (const name of beside) await symlink(resolve(own, name), join(place, name));
    }
    const auths = { [isDockerHub(host) ? dockerHub.configKey : host]: entryFor(credential) };
    const content = JSON.stringify({ ...(own && (await engineIn(own))), auths });
    await writeFileWhole(join(place, "config.json"), content, { mode: 0o600 });
    return await work(place);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Removes the credentials that an agent which was killed during a pull has left. */
export async function removeLeftCredentials(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

/** What a Docker config says about the engine; one that cannot be read says nothing, as docker has it. */
async function engineIn(directory: string): Promise<object> {
  try {
    const text = await readFile(join(directory, "config.json"), "utf8");
    const { currentContext, HttpHeaders } = JSON.parse(text);
    return { currentContext, HttpHeaders };
  } catch {
    return {};
  }
}

function entryFor(credential: Credential): object {
  if (credential.kind === "identity-token") return { identitytoken: credential.token.reveal() };
  const pair = `${credential.username}:${credential.password.reveal()}`;
  return { auth: Buffer.from(pair).toString("base64") };
}
