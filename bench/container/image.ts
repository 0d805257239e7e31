import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { thisHost } from "../../src/agent/host.ts";
import { streamOf } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { built } from "../stage.ts";

/** What is wrong with an image, in the app's own words. */
export const faults = ["ends", "is sick", "is deaf"] as const;
export type Fault = (typeof faults)[number];

export interface Publisher {
  push(tag: string, fault?: Fault): Promise<void>;
  close(): void;
}

/** For the engine's `run`: Node and its libraries are this machine's, so that no image is needed. */
export const mounts = ["/usr", ...(isInUsr() ? [] : [dirname(dirname(process.execPath))])].flatMap(
  (path) => ["-v", `${path}:${path}:ro`],
);

/** Images of one layer that they share: what differs is the version in their configuration. */
export async function openPublisher(host: string, repository: string): Promise<Publisher> {
  const http = openHttpClient({ userAgent: "dewy-bench" });
  const credentials = async () => undefined;
  const client = openOciClient({ host, credentials, http, clock: systemClock });
  const tar = await packLayer();
  const layer = gzipSync(tar);
  return { push, close: () => http.close() };

  async function push(tag: string, fault?: Fault): Promise<void> {
    const { os, architecture } = thisHost().platform;
    const Env = [`VERSION=${tag}`, `BROKEN=${fault ?? ""}`];
    const Cmd = [process.execPath, "/server.js"];
    const config = {
      ...{ os, architecture, config: { Env, Cmd, ExposedPorts: { "8080/tcp": {} } } },
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    };
    const types = "application/vnd.oci.image";
    const content = {
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
      config: await pushed(Buffer.from(JSON.stringify(config)), `${types}.config.v1+json`),
      layers: [await pushed(layer, `${types}.layer.v1.tar+gzip`)],
    };
    const bytes = Buffer.from(JSON.stringify(content));
    const manifest = { bytes, mediaType: mediaTypes.ociManifest };
    await client.pushManifest(repository, tag, manifest, limited());
  }

  async function pushed(bytes: Buffer, mediaType: string) {
    const digest = digestOf(bytes);
    const source = { digest, sizeBytes: bytes.length, open: () => streamOf(bytes) };
    await client.pushBlob(repository, source, limited());
    return { mediaType, digest, size: bytes.length };
  }
}

const limited = () => ({ signal: AbortSignal.timeout(30_000) });

function isInUsr(): boolean {
  return process.execPath.startsWith("/usr/");
}

async function packLayer(): Promise<Uint8Array> {
  const program = await readFile(built("bench/container/app.program.js"));
  const about = Buffer.from('{"type":"module"}');
  const mtime = new Date("2026-01-01T00:00:00Z");
  const file = (name: string, body: Buffer) => ({
    ...{ header: { name, size: body.length, mode: 0o644, mtime, type: "file" as const }, body },
  });
  const link = (name: string) => ({
    header: {
      ...{ name, linkname: `usr/${name}`, size: 0, mode: 0o777, mtime },
      type: "symlink" as const,
    },
  });
  return packTar([
    ...[file("server.js", program), file("package.json", about)],
    ...["lib", "lib64"].map(link),
  ]);
}
