import { chmod, copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import type { ContainerEngine } from "./container-engine.ts";
import { type AtEnd, temporaryDirectory } from "./program.ts";

const mediaTypes = {
  config: "application/vnd.docker.container.image.v1+json",
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  index: "application/vnd.docker.distribution.manifest.list.v2+json",
  oci: "application/vnd.oci.image.manifest.v1+json",
};
const applets = [
  "sh",
  "httpd",
  "sleep",
  "id",
  "hostname",
  "cat",
  "echo",
  "printf",
  "mkdir",
  "wget",
];

/** What an image says about itself, as its configuration names it. */
export interface ImageConfig {
  Env?: string[];
  Cmd?: string[];
  User?: string;
  ExposedPorts?: Record<string, object>;
  Healthcheck?: { Test: string[]; Interval?: number; Retries?: number };
}

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** A web server in 2 MB: `VERSION` at `/`, `/cgi-bin/health`, `/cgi-bin/slow?SECONDS`. */
export const serving: ImageConfig = { Cmd: ["serve"], ExposedPorts: { "8080/tcp": {} } };
export const broken: ImageConfig = {
  ...serving,
  Cmd: ["sh", "-c", "echo broken on purpose; exit 3"],
};
export const deaf: ImageConfig = { ...serving, Cmd: ["sleep", "1000"] };
export const sick: ImageConfig = { ...serving, Env: ["SICK=yes"] };

const files: Record<string, string> = {
  "bin/serve": `#!/bin/sh
trap 'exit 0' TERM
echo "$VERSION $(hostname) $(id -u)" > /www/index.html
httpd -f -p "\${PORT:-8080}" -h /www & wait
`,
  "www/cgi-bin/health": `#!/bin/sh
if [ -n "$SICK" ] || [ -e /tmp/sick ]; then printf 'HTTP/1.1 500 Sick\\r\\nConnection: close\\r\\n\\r\\nsick\\n'
else printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "$VERSION"; fi
`,
  "www/cgi-bin/slow": `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
left=$QUERY_STRING
while [ "$left" -gt 0 ]; do echo "$VERSION $left"; left=$((left - 1)); sleep 1; done
echo whole
`,
};

/** Images made of one that the engine has built; each further one is its configuration, changed. */
export interface Images {
  /** `127.0.0.1:PORT` */
  host: string;
  /** Resolves to the manifest's digest. */
  publish(repository: string, tag: string, config?: ImageConfig): Promise<string>;
  /** As `publish`, below an index with another platform and an attestation. */
  publishIndex(repository: string, tag: string, config?: ImageConfig): Promise<string>;
}

/** Builds the first one, and pushes it to the registry at `address`, where `authorization` is asked for. */
export async function openImages(
  engine: ContainerEngine,
  address: string,
  atEnd: AtEnd,
  authorization?: string,
): Promise<Images> {
  const { host } = new URL(address);
  const base = `${host}/base:v0`;
  const ask = asking(address, authorization);
  await engine.run("build", "--quiet", "--tag", base, await writeContext(atEnd));
  await engine.run("push", ...(engine.name === "podman" ? ["--tls-verify=false"] : []), base);
  const accept = `${mediaTypes.manifest}, ${mediaTypes.oci}`;
  const first = await ask("base/manifests/v0", { headers: { accept } }).then(asJson);
  const config = await ask(`base/blobs/${first.config.digest}`).then(asJson);
  return { host, publish, publishIndex };

  async function publish(repository: string, tag: string, changes: ImageConfig = serving) {
    const { digest } = await putImage(repository, tag, tag, changes);
    return digest;
  }

  async function publishIndex(repository: string, tag: string, changes: ImageConfig = serving) {
    const own = await putImage(repository, "", tag, changes);
    const other = await putImage(repository, "", tag, broken);
    const architecture = process.arch === "arm64" ? "amd64" : "arm64";
    const manifests = [
      { ...other, platform: { os: "unknown", architecture: "unknown" } },
      { ...other, platform: { os: "linux", architecture } },
      { ...own, platform: { os: "linux", architecture: config.architecture } },
    ];
    return (await putManifest(repository, tag, { mediaType: mediaTypes.index, manifests })).digest;
  }

  async function putImage(
    repository: string,
    name: string,
    tag: string,
    changes: ImageConfig,
  ): Promise<Descriptor> {
    for (const { digest } of first.layers) {
      await ask(`${repository}/blobs/uploads/?mount=${digest}&from=base`, { method: "POST" });
    }
    const Env = ["PATH=/bin", `VERSION=${tag}`, ...(changes.Env ?? [])];
    const text = JSON.stringify({ ...config, config: { ...changes, Env } });
    const digest = digestOf(text);
    const { headers } = await ask(`${repository}/blobs/uploads/`, { method: "POST" });
    const place = new URL(headers.get("location") ?? "", address);
    place.searchParams.set("digest", digest);
    await ask(place.href, { method: "PUT", body: text });
    const layers = first.layers.map((layer: Descriptor) => ({
      ...layer,
      mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    }));
    const described = { mediaType: mediaTypes.config, digest, size: Buffer.byteLength(text) };
    return putManifest(repository, name, {
      mediaType: mediaTypes.manifest,
      ...{ config: described, layers },
    });
  }

  async function putManifest(
    repository: string,
    tag: string,
    content: { mediaType: string; [key: string]: unknown },
  ): Promise<Descriptor> {
    const { mediaType } = content;
    const body = JSON.stringify({ schemaVersion: 2, ...content });
    const digest = digestOf(body);
    const headers = { "content-type": mediaType };
    await ask(`${repository}/manifests/${tag || digest}`, { method: "PUT", body, headers });
    return { mediaType, digest, size: Buffer.byteLength(body) };
  }
}

function asking(address: string, authorization: string | undefined) {
  return async (path: string, init: RequestInit = {}) => {
    const headers = {
      ...(init.headers as Record<string, string> | undefined),
      ...(authorization === undefined ? {} : { authorization }),
    };
    const response = await fetch(new URL(path, `${address}/v2/`), { ...init, headers });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a document of our own making
const asJson = (response: Response): Promise<any> => response.json();

async function writeContext(atEnd: AtEnd): Promise<string> {
  const directory = await temporaryDirectory("build", atEnd);
  const root = join(directory, "root");
  for (const name of ["bin", "tmp", "www/cgi-bin"]) {
    await mkdir(join(root, name), { recursive: true });
  }
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  for (const applet of applets) await symlink("busybox", join(root, "bin", applet));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(root, name), text);
    await chmod(join(root, name), 0o755);
  }
  await chmod(join(root, "www"), 0o777); // whoever the image's user is
  await writeFile(join(directory, "Dockerfile"), "FROM scratch\nCOPY root /\n");
  return directory;
}
