import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyOf } from "../../base/local-server.fake.ts";
import type { FakeGithub } from "./github.fake.ts";

/** GitHub's "Upload a release asset", at a host of its own. */
export async function takeAsset(
  { fake, nextId }: { fake: FakeGithub; nextId: () => number },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://uploads.test");
  const { authorization, "content-type": type } = request.headers;
  const content = (await bodyOf(request)).toString();
  const tag = /^\/repos\/acme\/app\/releases\/([^/]+)\/assets$/.exec(pathname)?.[1];
  const release = fake.releases.find((one) => one.tag === tag);
  const name = searchParams.get("name") ?? "";
  fake.requests.push(`${request.method} ${pathname}?name=${name}`);
  const isMeant = request.method === "POST" && type === "text/plain" && name !== "";
  if (authorization !== `Bearer ${fake.token}`) response.writeHead(401).end('{"message":"who?"}');
  else if (!fake.mayWrite) {
    response.writeHead(403).end('{"message":"Resource not accessible by personal access token"}');
  } else if (!release || !isMeant) response.writeHead(404).end('{"message":"Not Found"}');
  else if (release.assets.length >= fake.maximumAssets) {
    response.writeHead(422).end('{"message":"Validation Failed"}');
  } else {
    release.assets.push({ id: nextId(), name, content });
    response.writeHead(201).end("{}");
  }
}

/** "Delete a release asset". */
export function removeAsset(fake: FakeGithub, { pathname }: URL, response: ServerResponse): void {
  const id = Number(/^\/api\/v3\/repos\/acme\/app\/releases\/assets\/(\d+)$/.exec(pathname)?.[1]);
  const release = fake.releases.find(({ assets }) => assets.some((asset) => asset.id === id));
  if (release) release.assets = release.assets.filter((asset) => asset.id !== id);
  response.writeHead(release ? 204 : 404).end();
}
