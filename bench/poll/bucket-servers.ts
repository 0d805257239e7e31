import { gzipSync } from "node:zlib";
import { type Served, serve } from "./served.ts";

const versions = 20;
/** Beside the files of a version, one for each host that deployed it. */
const records = 100;
const platforms = ["linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"];

interface Stored {
  key: string;
  size: number;
}

/** What lies in the bucket: versions with a file for each platform, and the newest with records. */
const objects: readonly Stored[] = Array.from({ length: versions }, (_, index) => {
  const directory = `v1.${index}.0/`;
  const files = platforms.map((platform) => ({
    key: `${directory}app_${platform}.tar.gz`,
    size: 8e6,
  }));
  const isNewest = index === versions - 1;
  return isNewest ? [...files, ...recordsIn(directory)] : files;
}).flat();

function recordsIn(directory: string): Stored[] {
  return Array.from({ length: records }, (_, host) => ({
    key: `${directory}shipped_to_host-${host}_server_at_20260101T000000.123456789Z.txt`,
    size: 60,
  }));
}

/** The bucket `releases` as S3 lists it (ListObjectsV2); each request is one that is paid for. */
export function serveS3(): Promise<Served> {
  return serve(({ method }, response, { searchParams: query, pathname }) => {
    if (method === "HEAD") {
      const length = { "content-length": 8e6 };
      response.writeHead(200, { etag: '"1"', "last-modified": modified, ...length }).end();
      return;
    }
    const isListing = /^\/releases\/?$/.test(pathname) && query.get("list-type") === "2";
    if (!isListing) response.writeHead(400).end();
    else response.setHeader("content-type", "application/xml").end(s3Listing(query));
  });
}

const modified = new Date("2026-01-01").toUTCString();

function s3Listing(query: URLSearchParams): string {
  const { files, directories } = levelOf(query);
  const contents = files.map(
    ({ key, size }) =>
      `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
      `<ETag>&quot;${"0".repeat(32)}&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  const prefixes = directories.map(
    (name) => `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`,
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Name>releases</Name><IsTruncated>false</IsTruncated>${contents.join("")}${prefixes.join("")}</ListBucketResult>`
  );
}

/**
 * The bucket `releases` as Cloud Storage's JSON API lists it, whole unless `fields` asks for less,
 * and compressed for who takes that.
 */
export function serveGcs(): Promise<Served> {
  return serve(({ headers }, response, { searchParams: query }) => {
    const { files, directories } = levelOf(query);
    const items = files.map((file) => gcsObject(file, query.has("fields")));
    const page = JSON.stringify({ kind: "storage#objects", items, prefixes: directories });
    response.setHeader("content-type", "application/json");
    if (!headers["accept-encoding"]?.includes("gzip")) response.end(page);
    else response.setHeader("content-encoding", "gzip").end(gzipSync(page));
  });
}

function gcsObject({ key: name, size }: Stored, isShort: boolean): object {
  const told = { name, size: `${size}`, generation: "1767225600000000" };
  const timeCreated = "2026-01-01T00:00:00.000Z";
  if (isShort) return { ...told, timeCreated };
  const url = "https://www.googleapis.com/storage/v1/b/releases/o";
  return {
    kind: "storage#object",
    id: `releases/${name}/${told.generation}`,
    selfLink: `${url}/${encodeURIComponent(name)}`,
    mediaLink: `https://storage.googleapis.com/download/storage/v1/b/releases/o/${encodeURIComponent(name)}?generation=${told.generation}&alt=media`,
    ...told,
    ...{ bucket: "releases", metageneration: "1", contentType: "application/gzip" },
    ...{ storageClass: "STANDARD", md5Hash: "AAAAAAAAAAAAAAAAAAAAAA==", crc32c: "AAAAAA==" },
    ...{ etag: "CAAQAAAAAAAAAAA=", timeCreated, updated: timeCreated },
    timeStorageClassUpdated: timeCreated,
  };
}

/** What a listing shows: of one level with a delimiter, and everything below without. */
function levelOf(query: URLSearchParams): { files: Stored[]; directories: string[] } {
  const prefix = query.get("prefix") ?? "";
  const below = objects.filter(({ key }) => key.startsWith(prefix));
  if (query.get("delimiter") !== "/") return { files: below, directories: [] };
  const isFile = ({ key }: Stored) => !key.slice(prefix.length).includes("/");
  const names = below
    .filter((object) => !isFile(object))
    .map(({ key }) => key.slice(0, key.indexOf("/", prefix.length) + 1));
  return { files: below.filter(isFile), directories: [...new Set(names)] };
}
