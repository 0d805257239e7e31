import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { describeWith } from "../component.ts";
import { type Authority, type Certificate, openAuthority } from "./certificates.ts";
import { startDockerd } from "./dockerd.ts";
import { htpasswdFor, openGuarded } from "./guarded-registry.ts";
import { writeLayout } from "./oci-layout.ts";
import { run, temporaryDirectory } from "./program.ts";

describeWith("openssl", "skopeo")("the image registry and skopeo, over TLS", () => {
  it("is spoken to with its certificate, and not without", async () => {
    const { authority, settings } = await certified();
    const { host } = await openGuarded("", `, ${settings}}`);
    const image = `docker://${host}/team/app:v1`;
    const layout = `oci:${await writeLayout("v1")}:v1`;
    const certs = await certDirectory(authority.ca);

    await expect(run("skopeo", ["copy", layout, image])).rejects.toThrow("unknown authority");
    await run("skopeo", ["copy", `--dest-cert-dir=${certs}`, layout, image]);

    const copy = `dir:${await temporaryDirectory("copy")}`;
    await run("skopeo", ["copy", `--src-cert-dir=${certs}`, image, copy]);
  });

  it("asks clients for a certificate of its own authority", async () => {
    const { authority, settings } = await certified();
    const { host } = await openGuarded("", `, ${settings}, clientcas: [${authority.ca.cert}]}`);
    const image = `docker://${host}/team/app:v1`;
    const layout = `oci:${await writeLayout("v1")}:v1`;
    const copy = async (client?: Certificate) => {
      const certs = await certDirectory(authority.ca, client);
      return run("skopeo", ["copy", `--dest-cert-dir=${certs}`, layout, image]);
    };
    const stranger = await openAuthority();
    onTestFinished(() => stranger.close());

    await expect(copy()).rejects.toThrow();
    await expect(copy(await stranger.issue("client"))).rejects.toThrow();
    await copy(await authority.issue("client"));
  });
});

describeWith("openssl", "curl")("the image registry and curl, over TLS", () => {
  it.each([
    ["--http2", "2"],
    ["--http1.1", "1.1"],
  ])("speaks with %s", async (flag, version) => {
    const { authority, settings } = await certified();
    const { address } = await openGuarded("", `, ${settings}}`);

    const format = ["-w", "%{http_version} %{http_code}", "-o", "/dev/null", "-s"];
    const result = await run("curl", [
      flag,
      "--cacert",
      authority.ca.cert,
      ...format,
      `${address}/v2/`,
    ]);

    expect(result).toBe(`${version} 200`);
  });
});

describeWith(
  "openssl",
  "dockerd",
  "docker",
  "skopeo",
)("the image registry and docker, over TLS", () => {
  it("logs in, pushes and pulls", async () => {
    const { settings } = await certified();
    const path = await htpasswdFor("alice");
    const auth = `auth: {htpasswd: {realm: r, path: ${path}}}`;
    const { host } = await openGuarded(auth, `, ${settings}}`);
    const engine = await startDockerd(await temporaryDirectory("docker"));
    const config = await temporaryDirectory("docker-config");
    const docker = (...args: string[]) => engine("--config", config, ...args);
    const image = `${host}/team/app:v1`;
    const archive = join(await temporaryDirectory("archive"), "image.tar");
    const layout = `oci:${await writeLayout("v1")}:v1`;
    await run("skopeo", ["copy", layout, `docker-archive:${archive}:${image}`]);
    await docker("load", "--input", archive);

    await docker("login", "-u", "alice", "-p", "alice-pw", host);
    await docker("push", image);
    await docker("image", "rm", "--force", image);
    await docker("pull", image);
  });
});

async function certified(): Promise<{ authority: Authority; settings: string }> {
  const authority = await openAuthority();
  onTestFinished(() => authority.close());
  const { cert, key } = await authority.issue("server");
  return { authority, settings: `tls: {certificate: ${cert}, key: ${key}` };
}

/** As Docker, Podman and skopeo look for certificates. */
async function certDirectory(ca: Certificate, client?: Certificate): Promise<string> {
  const directory = await temporaryDirectory("certs");
  await copyFile(ca.cert, join(directory, "ca.crt"));
  if (client) {
    await copyFile(client.cert, join(directory, "client.cert"));
    await copyFile(client.key, join(directory, "client.key"));
  }
  return directory;
}
