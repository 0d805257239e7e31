import { execFile } from "node:child_process";
import * as v from "valibot";
import { type Call, withTimeout } from "../base/call.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError, systemCodeOf } from "../base/errors.ts";
import { type Credential, withIdentityToken, withPassword } from "./credential.ts";

const Answer = v.object({ Username: v.string(), Secret: v.string() });

const timeoutMs = 10_000;

/**
 * Asks `docker-credential-<name> get`, which reads the server's name and writes JSON (the protocol
 * of docker/docker-credential-helpers); `undefined` when it knows nothing of that server.
 *
 * @throws {ConfigError} when the helper is missing or fails
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  environment: Environment,
  call: Call,
): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw failed(program, "it is not the name of a program");
  return await askCredentialProgram(program, server, environment, call);
}

/** As `askCredentialHelper`, of a program that is named in full, or by its path. */
export async function askCredentialProgram(
  program: string,
  server: string,
  environment: Environment,
  call: Call,
): Promise<Credential | undefined> {
  const output = await withTimeout(`${program} get`, timeoutMs, call, (limited) =>
    run(program, server, environment, limited),
  );
  if (output === undefined) return undefined;
  let answer: v.InferOutput<typeof Answer>;
  try {
    answer = v.parse(Answer, JSON.parse(output));
  } catch {
    throw failed(program, "its answer is not the JSON of a credential helper"); // may hold a secret
  }
  if (answer.Secret === "") return undefined;
  if (answer.Username === "<token>") return withIdentityToken(answer.Secret);
  return withPassword(answer.Username, answer.Secret);
}

function run(
  program: string,
  input: string,
  environment: Environment,
  { signal }: Call,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const options = { signal, env: { ...environment }, maxBuffer: 64 * 1024 };
    const child = execFile(program, ["get"], options, (error, output) => {
      if (error === null) return resolve(output);
      child.kill("SIGKILL"); // one that heeds no other would stay, and each poll would add another
      if (signal.aborted) return reject(error);
      // Helpers say so on standard output, and exit with status 1.
      if (/credentials not found/i.test(output)) return resolve(undefined);
      const isMissing = systemCodeOf(error) === "ENOENT";
      reject(failed(program, isMissing ? "it is not on the PATH" : "it failed", error));
    });
    child.stdin?.on("error", () => {}); // a helper that does not read is judged by its answer
    child.stdin?.end(input);
  });
}

function failed(program: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`cannot get credentials from ${program}: ${why}`, {
    cause,
    hint: "install it, or take it out of Docker's config.json (credsStore, credHelpers)",
  });
}
