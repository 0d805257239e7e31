import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Served, serve } from "./served.ts";

const releases = 250;
const assetsOfEach = 8;
const perPage = 100;

/**
 * Lists releases as GitHub's REST API does: in pages of a hundred with entity tags, compressed for who
 * takes that. An answer of 304 is not counted against the rate limit.
 */
export async function serveGithub(): Promise<Served & { pages: number }> {
  const pages = pagesOf(Array.from({ length: releases }, (_, index) => releaseJson(index)));
  const served = await serve(({ headers }, response, target) => {
    const number = Number(target.searchParams.get("page") ?? 1);
    const page = pages[number - 1];
    if (page === undefined || !headers.authorization) {
      response.writeHead(page ? 401 : 404).end("{}");
      return;
    }
    const { etag, body, packed } = page;
    if (headers["if-none-match"] === etag) {
      response.writeHead(304, { etag }).end();
      return;
    }
    const isPacked = headers["accept-encoding"]?.includes("gzip") ?? false;
    const next = `<${target.origin}${target.pathname}?per_page=100&page=${number + 1}>; rel="next"`;
    response.writeHead(200, {
      "content-type": "application/json; charset=utf-8",
      etag,
      ...(number < pages.length ? { link: next } : {}),
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    });
    response.end(isPacked ? packed : body);
  });
  return { ...served, pages: pages.length };
}

function pagesOf(list: readonly object[]) {
  const count = Math.ceil(list.length / perPage);
  return Array.from({ length: count }, (_, index) => {
    const body = JSON.stringify(list.slice(index * perPage, (index + 1) * perPage));
    const etag = `W/"${createHash("sha256").update(body).digest("hex")}"`;
    return { etag, body, packed: gzipSync(body) };
  });
}

function releaseJson(index: number): object {
  const version = `1.${releases - index}.0`;
  const api = "https://api.github.com/repos/acme/app/releases";
  const login = { login: "octocat", id: 583_231, type: "User", site_admin: false };
  return {
    url: `${api}/${index}`,
    upload_url: `${api}/${index}/assets{?name,label}`,
    tag_name: `v${version}`,
    draft: false,
    prerelease: false,
    published_at: "2026-01-01T00:00:00Z",
    author: login,
    body: `What is new in ${version}.`,
    assets: Array.from({ length: assetsOfEach }, (_, platform) => {
      const name = `app_${version}_${platforms[platform]}.tar.gz`;
      return {
        url: `${api}/assets/${index * assetsOfEach + platform}`,
        id: index * assetsOfEach + platform,
        name,
        uploader: login,
        content_type: "application/gzip",
        state: "uploaded",
        size: 8_000_000 + index,
        digest: `sha256:${createHash("sha256").update(name).digest("hex")}`,
        created_at: "2026-01-01T00:00:00Z",
        updated_at: "2026-01-01T00:00:00Z",
        browser_download_url: `https://github.com/acme/app/releases/download/v${version}/${name}`,
      };
    }),
  };
}

const platforms = [
  ...["linux_amd64", "linux_arm64", "linux_386", "linux_armv7"],
  ...["darwin_amd64", "darwin_arm64", "windows_amd64", "windows_arm64"],
];
