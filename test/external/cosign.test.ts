import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openReleaseRegistry } from "../../src/agent/registries/index.ts";
import { openVerification, type VerifyOptions } from "../../src/agent/verify/index.ts";
import { siblingsOf } from "../../src/agent/verify/siblings.ts";
import { streamOf } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { pushRelease } from "../../src/oci/push-release.ts";
import { describeWith } from "../component.ts";
import { run, temporaryDirectory } from "./program.ts";
import { serveRegistry } from "./served-registry.ts";

const fileName = "app_linux_amd64.tar.gz";
const content = Buffer.from("what is released");
const platform = { os: "linux", architecture: "amd64" };

describeWith("cosign")("signatures that cosign has made", () => {
  it("under a tag vouch for the image", { timeout: 60_000 }, async ({ signal }) => {
    const place = await openPlace();

    await place.sign("sign");

    expect(await place.verified({ keys: [place.key] }, signal)).toMatchObject({
      kind: "sigstore",
      checked: expect.stringMatching(/^what is attached to sha256:/),
      by: expect.stringContaining("cosign.pub (SHA256:"),
    });
  });

  it("and that refer to the image vouch for it", { timeout: 60_000 }, async ({ signal }) => {
    const place = await openPlace();

    await place.sign("sign", ["--registry-referrers-mode=oci-1-1"], { COSIGN_EXPERIMENTAL: "1" });

    expect(await place.verified({ keys: [place.key] }, signal)).toMatchObject({ kind: "sigstore" });
  });

  it.each([
    ["under a tag", []],
    ["that refer to the image", ["--new-bundle-format"]],
  ])(
    "in attestations %s vouch for it where that kind is demanded",
    { timeout: 60_000 },
    async (_where, format) => {
      const { signal } = new AbortController();
      const place = await openPlace();
      const predicate = join(place.directory, "parts.json");
      await writeFile(predicate, '{"SPDXID":"SPDXRef-DOCUMENT","spdxVersion":"SPDX-2.3"}');

      await place.sign("attest", ["--type", "spdxjson", "--predicate", predicate, ...format]);

      const keys = [place.key];
      const found = await place.verified({ keys, predicateType: "spdxjson" }, signal);
      expect(found?.checked).toContain("https://spdx.dev/Document");
      await expect(place.verified({ keys }, signal)).rejects.toMatchObject({
        message: expect.stringContaining("it attests https://spdx.dev/Document, by"),
      });
    },
  );

  it("with another key are refused", { timeout: 60_000 }, async ({ signal }) => {
    const place = await openPlace();
    await place.sign("sign");
    const other = join(place.directory, "other.pub");
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await writeFile(other, publicKey.export({ type: "spki", format: "pem" }));

    await expect(place.verified({ keys: [other] }, signal)).rejects.toMatchObject({
      code: "UNTRUSTED",
      message: expect.stringContaining("another key made it, or it is over something else"),
    });
  });

  it.each([
    ["in a bundle", [".sigstore.json", "--new-bundle-format", "--bundle"]],
    ["in the older bundle", [".bundle", "--bundle"]],
    ["by itself", [".sig", "--output-signature"]],
  ])("of a file lie beside it %s", { timeout: 60_000 }, async (_how, [ending = "", ...options]) => {
    const { signal } = new AbortController();
    const place = await openPlace();
    const output = join(place.directory, `${fileName}${ending}`);

    await place.cosign(["sign-blob", ...options, output, join(place.directory, fileName)]);

    const beside = { [`${fileName}${ending}`]: await readFile(output) };
    expect(await place.verified({ keys: [place.key] }, signal, beside)).toMatchObject({
      checked: `${fileName}${ending}`,
    });
  });
});

/** A repository of our own registry with a release, and a key of cosign's. */
async function openPlace() {
  const directory = await temporaryDirectory("cosign");
  await mkdir(join(directory, "registry"));
  const { address } = await serveRegistry(join(directory, "registry"));
  const host = new URL(address).host;
  const http = openHttpClient({ userAgent: "dewy/test" });
  onTestFinished(() => http.close());
  const parts = { http, clock: systemClock, credentials: async () => undefined };
  const call = { signal: AbortSignal.timeout(30_000) };
  const path = join(directory, fileName);
  await writeFile(path, content);
  const files = [{ path, name: fileName, platform }];
  const release = { repository: "acme/app", tag: "v1.0.0", files, created: new Date(0) };
  const pushed = await pushRelease(openOciClient({ host, ...parts }), release, {}, call);
  const cosign = (args: readonly string[], environment = {}) =>
    run("cosign", keyed(args), { COSIGN_PASSWORD: "", HOME: directory, ...environment });
  const keyed = ([command = "", ...args]: readonly string[]) => {
    const key = ["--yes", "--tlog-upload=false", "--key", join(directory, "cosign.key")];
    return command === "generate-key-pair" ? [command, ...args] : [command, ...key, ...args];
  };
  await cosign(["generate-key-pair", "--output-key-prefix", join(directory, "cosign")]);

  return {
    directory,
    key: join(directory, "cosign.pub"),
    cosign,

    sign(command: "sign" | "attest", options: readonly string[] = [], environment = {}) {
      const image = `${host}/acme/app@${pushed.digest}`;
      return cosign([command, "--allow-http-registry", ...options, image], environment);
    },

    /** As a deployment does it; with files beside the artifact it is as in a bucket. */
    async verified(
      options: VerifyOptions,
      signal: AbortSignal,
      beside: Readonly<Record<string, Buffer>> = {},
    ) {
      const opened = await openReleaseRegistry(`img://${host}/acme/app`, {
        ...parts,
        environment: {},
      });
      const found = await opened.registry.release("v1.0.0", { signal });
      const [artifact] = found?.artifacts ?? [];
      if (found === undefined || artifact === undefined) throw new Error("it was pushed");
      const others = Object.keys(beside).map((name) => ({ ...artifact, name }));
      const whole = { ...found, artifacts: [artifact, ...others] };
      const registry = {
        ...opened.registry,
        open: async ({ name }: { name: string }) => ({
          bytes: streamOf(beside[name] ?? Buffer.alloc(0)),
          from: 0,
        }),
      };
      const { verify } = await openVerification(options, {
        inQuery: undefined,
        clock: systemClock,
      });
      const file = { path, digest: digestOf(content), sizeBytes: content.length };
      const siblings = siblingsOf(registry, whole, artifact);
      const subject = { registry: registry.name, release: whole, artifact, file, siblings };
      return verify(subject, { signal });
    },
  };
}
