import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { openHttpClient } from "../base/http-client.ts";
import { identityOf } from "../base/process-identity.ts";
import { credentialsFrom as credentialsOf } from "./credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("credentials", () => {
  it.each([
    ["registry.test", { "registry.test": { auth: base64("u:p:q") } }, "u p:q"],
    ["registry.test:5000", { "https://registry.test:5000/v2/": { auth: base64("u:p") } }, "u p"],
    ["registry-1.docker.io", { "https://index.docker.io/v1/": { auth: base64("u:p") } }, "u p"],
    ["registry.test", { "registry.test": { username: "u", password: "p" } }, "u p"],
    ["registry.test", { "registry.test": { auth: "", identitytoken: "t" } }, "token t"],
    ["registry.test", { "other.test": { auth: base64("u:p") } }, undefined],
    ["registry.test", { "registry.test.evil": { auth: base64("u:p") } }, undefined],
  ])("finds those of %s among %j", async (host, auths, expected) => {
    const home = await homeWith({ ".docker/config.json": JSON.stringify({ auths }) });

    expect(await found(host, { HOME: home })).toBe(expected);
  });

  it("looks at the variables first, then Docker, then Podman, then for ghcr.io at GitHub's token", async () => {
    const home = await homeWith({
      "docker/config.json": JSON.stringify({ auths: { "a.test": { auth: base64("d:d") } } }),
      "podman.json": JSON.stringify({
        auths: { "a.test": { auth: base64("p:p") }, "b.test": { auth: base64("p:p") } },
      }),
    });
    const files = {
      DOCKER_CONFIG: join(home, "docker"),
      REGISTRY_AUTH_FILE: join(home, "podman.json"),
      GITHUB_TOKEN: "gh",
    };

    expect(await found("a.test", files)).toBe("d d");
    expect(await found("b.test", files)).toBe("p p");
    expect(await found("ghcr.io", files)).toBe("token gh");
    expect(await found("ghcr.io.evil.test", files)).toBeUndefined();
    const named = { ...files, DOCKER_USERNAME: "e", DOCKER_PASSWORD: "e" };
    expect(await found("a.test", named)).toBe("e e");
  });

  it("asks the credential helper of the host, and the store for the others", async () => {
    const home = await homeWith({
      ".docker/config.json": JSON.stringify({
        credsStore: "store",
        credHelpers: { "a.test": "one" },
      }),
    });
    await helper(home, "one", `echo '{"Username":"<token>","Secret":"for-'$(cat)'"}'`);
    await helper(home, "store", "echo 'credentials not found in native keychain'; exit 1");
    const environment = { HOME: home, PATH: `${home}:${process.env.PATH}` };

    expect(await found("a.test", environment)).toBe("token for-a.test");
    expect(await found("b.test", environment)).toBeUndefined();
  });

  it.each([
    ["echo s3cret >&2; exit 3", "it failed"],
    ["echo s3cret", "its answer is not the JSON"],
    [undefined, "it is not on the PATH"],
  ])("says so when the helper does: %s", async (script, why) => {
    const home = await homeWith({ ".docker/config.json": '{"credsStore":"broken"}' });
    if (script) await helper(home, "broken", script);

    const failure = await found("a.test", { HOME: home, PATH: `${home}:/bin` }).catch(
      (error) => error,
    );

    expect(failure.message).toContain(`docker-credential-broken: ${why}`);
    expect(failure.message).not.toContain("s3cret");
  });

  it.skipIf(process.platform !== "linux")("ends a helper that heeds no signal", async () => {
    const home = await homeWith({ ".docker/config.json": '{"credsStore":"deaf"}' });
    await helper(home, "deaf", `trap "" TERM; echo $$ > ${home}/pid; while :; do :; done`);
    const call = new AbortController();
    const environment = { HOME: home, PATH: `${home}:/bin` };
    const asking = credentialsFrom(environment)("a.test", call).catch(() => "given up");
    const pid = await vi.waitFor(async () => {
      const text = await readFile(join(home, "pid"), "utf8");
      expect(text).toMatch(/\d\n/);
      return Number(text);
    });

    call.abort();

    expect(await asking).toBe("given up");
    await vi.waitFor(async () => expect(await identityOf(pid)).toBeUndefined());
  });

  it("names a file that it cannot read, without showing what is in it", async () => {
    const home = await homeWith({ ".docker/config.json": '{"auths": s3cret' });

    const failure = await found("a.test", { HOME: home }).catch((error) => error);

    expect(failure.message).toContain(join(home, ".docker/config.json"));
    expect(failure.message).not.toContain("s3cret");
  });

  it("never shows a password", async () => {
    const source = credentialsFrom({ DOCKER_USERNAME: "u", DOCKER_PASSWORD: "s3cret" });
    const credential = await source("a.test", new AbortController());

    expect(JSON.stringify(credential)).not.toContain("s3cret");
  });
});

function credentialsFrom(environment: Record<string, string>) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  return credentialsOf(environment, { http, clock: systemClock });
}

async function found(host: string, environment: Record<string, string>) {
  const credential = await credentialsFrom(environment)(host, new AbortController());
  if (credential === undefined) return undefined;
  if (credential.kind === "identity-token") return `token ${credential.token.reveal()}`;
  return `${credential.username} ${credential.password.reveal()}`;
}

async function homeWith(files: Record<string, string>): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "dewy-home-"));
  onTestFinished(() => rm(home, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), content);
  }
  return home;
}

async function helper(directory: string, name: string, script: string): Promise<void> {
  const path = join(directory, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}
