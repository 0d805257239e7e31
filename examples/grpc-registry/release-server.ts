import { createReadStream, type Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createPlainServer,
  createSecureServer,
  type SecureServerOptions,
} from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { artifactFor } from "../../src/agent/choose/artifact.ts";
import { RegistryService } from "../../src/agent/registries/grpc-schema.ts";
import { compareVersions, semanticVersions } from "../../src/base/version.ts";

export interface ReleaseServerOptions {
  /** Holds a directory per release: `v1.2.3/app_linux_amd64.tar.gz`. */
  directory: string;
  port: number;
  /** Where agents fetch files from; without it, a second port of this server, for this machine only. */
  artifactsUrl?: string | undefined;
  /** For TLS: certificate and key, and with `requestCert` and `ca` the clients' too. */
  secure?: SecureServerOptions | undefined;
  /** Told of each report. */
  report: (report: { id: string; tag: string; command: string; err?: string | undefined }) => void;
}

/** Announces the newest version in a directory; the interface is in `dewy.proto`. */
export async function serveReleases(options: ReleaseServerOptions): Promise<{
  port: number;
  close(): Promise<void>;
}> {
  const { directory, secure, artifactsUrl } = options;
  const files = createServer((request, response) => {
    sendFile(directory, request, response).catch(() => response.destroy());
  });
  const filesPort = await listen(files, 0, "127.0.0.1");
  const adapter = adapterFor(options, artifactsUrl ?? `http://127.0.0.1:${filesPort}/`);
  const server = secure ? createSecureServer(secure, adapter) : createPlainServer(adapter);
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const port = await listen(server, options.port);

  return {
    port,
    async close() {
      for (const session of sessions) session.destroy();
      files.closeAllConnections();
      await Promise.all([server, files].map((each) => new Promise((done) => each.close(done))));
    },
  };
}

function adapterFor({ directory, report }: ReleaseServerOptions, artifactsUrl: string) {
  return connectNodeAdapter({
    routes: (router) =>
      router.service(RegistryService, {
        async current({ os, arch, arifactName }) {
          const platform = { os, architecture: arch };
          const { tag, name, changedAt, size } = await newest(directory, platform, arifactName);
          const path = `${encodeURIComponent(tag)}/${encodeURIComponent(name)}`;
          return {
            id: `${tag}/${name}@${changedAt.getTime()}-${size}`,
            tag,
            artifactUrl: new URL(path, artifactsUrl).href,
            createdAt: timestampFromDate(changedAt),
          };
        },
        report({ id, tag, command, err }) {
          report({ id, tag, command, err });
          return {};
        },
      }),
  });
}

async function newest(
  directory: string,
  platform: { os: string; architecture: string },
  wanted: string | undefined,
) {
  const entries = await readdir(directory, { withFileTypes: true });
  const versions = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => semanticVersions.parse(name) ?? [])
    .sort((a, b) => compareVersions(b, a));
  for (const { tag } of versions) {
    const names = filesIn(await readdir(join(directory, tag), { withFileTypes: true }));
    const artifacts = names.map((name) => ({
      ...{ name, platform: undefined, sizeBytes: undefined, digest: undefined },
      ...{ identity: name, url: name },
    }));
    const found = artifactFor(
      { tag, artifacts, publishedAt: undefined },
      { platform, artifact: wanted },
    );
    if (found === undefined) continue;
    const { mtime: changedAt, size } = await stat(join(directory, tag, found.name));
    return { tag, name: found.name, changedAt, size };
  }
  const { os, architecture } = platform;
  throw new ConnectError(`no release for ${os}/${architecture}`, Code.NotFound);
}

/** A file that is being copied to its place has a name with a dot in front, and is not there yet. */
function filesIn(entries: Dirent[]): string[] {
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith("."))
    .map(({ name }) => name);
}

/** `/TAG/FILE`, from `Range: bytes=FROM-` on. */
async function sendFile(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://files");
  const [, tag = "", name = "", ...rest] = pathname.split("/").map(decodeURIComponent);
  const isName = (text: string) => text !== "" && !text.startsWith(".") && !/[/\\]/.test(text);
  const path = join(directory, tag, name);
  const file =
    isName(tag) && isName(name) && rest.length === 0
      ? await stat(path).catch(() => undefined)
      : undefined;
  if (!file?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const etag = `"${file.mtimeMs}-${file.size}"`;
  const same = [undefined, etag].includes(request.headers["if-range"] as string | undefined);
  const from = same ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
  if (from > 0 && from >= file.size) {
    response.writeHead(416, { "content-range": `bytes */${file.size}` }).end();
    return;
  }
  const range = { "content-range": `bytes ${from}-${file.size - 1}/${file.size}` };
  const length = { "content-length": file.size - from, etag };
  response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...length, ...range } : length);
  await pipeline(createReadStream(path, { start: from }), response);
}

async function listen(server: Server, port: number, host?: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}
