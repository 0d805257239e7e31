import { digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/manifest.ts";
import { buildRelease } from "../../src/oci/release-artifact.ts";
import { type Served, serve } from "./served.ts";

const tags = 100;
const tokenSeconds = 300;

/**
 * Answers as Docker Hub does: a token for each five minutes, lists of tags without an entity tag, and
 * a limit that counts GETs of manifests alone ("Docker Hub pull usage and limits").
 */
export async function serveHub(): Promise<Served> {
  const platform = `linux_${process.arch === "x64" ? "amd64" : process.arch}`;
  const file = Buffer.from("an application");
  const { bytes: manifest, digest } = releaseOf(`app_${platform}.tar.gz`, file);
  const list = JSON.stringify({
    name: "acme/app",
    tags: Array.from({ length: tags }, (_, index) => `v1.${index}.0`),
  });
  return serve(({ headers, method }, response, { pathname, origin }) => {
    const limit = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "100;w=21600" };
    if (pathname === "/token") {
      const token = "t".repeat(2_000); // about as long as theirs
      response.end(JSON.stringify({ token, expires_in: tokenSeconds }));
    } else if (!headers.authorization?.startsWith("Bearer t")) {
      const challenge = `Bearer realm="${origin}/token",service="registry.docker.io",scope="repository:acme/app:pull"`;
      response.writeHead(401, { "www-authenticate": challenge }).end('{"errors":[]}');
    } else if (pathname === "/v2/acme/app/tags/list") {
      response.setHeader("content-type", "application/json").end(list);
    } else if (/^\/v2\/acme\/app\/manifests\/(v1\.\d+\.0|sha256:)/.test(pathname)) {
      const type = mediaTypes.ociManifest;
      const length = manifest.length;
      const described = { "content-type": type, "content-length": length };
      response.writeHead(200, { ...limit, ...described, "docker-content-digest": digest });
      response.end(method === "HEAD" ? undefined : manifest);
    } else response.writeHead(404).end('{"errors":[]}');
  });
}

function releaseOf(name: string, file: Buffer) {
  const only = { name, platform: undefined, digest: digestOf(file), sizeBytes: file.length };
  return buildRelease([only], { version: "v1.0.0", created: new Date("2026-01-01") }).top;
}
