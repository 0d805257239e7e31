import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveReleases } from "../../examples/grpc-registry/release-server.ts";
import { publish } from "../publish.ts";
import { openStage } from "../stage.ts";
import { serveGcs, serveS3 } from "./bucket-servers.ts";
import { serveGithub } from "./github-server.ts";
import { serveHub } from "./hub-server.ts";
import { openMeter, type Sighting } from "./meter.ts";
import { gcsPeer, githubPeer, grpcPeer, imagePeer, s3Peer } from "./peers.ts";
import { type Served, serve } from "./served.ts";
import type { Subject } from "./subject.ts";

const everyRequest = () => true;

export async function openGithub(): Promise<Subject> {
  const { pages, ...served } = await serveGithub();
  const meter = await openMeter(served.port);
  const url = `http://127.0.0.1:${meter.port}`;
  return {
    name: `ghr, 250 releases on ${pages} pages`,
    registry: "ghr://acme/app",
    environment: { GITHUB_API_URL: url, GH_TOKEN: "token" },
    meters: [meter],
    isCounted: ({ status }) => status !== 304,
    isFree: true,
    beginsLook: ({ path }) => !/[?&]page=/.test(path),
    openPeer: async () => githubPeer(`${url}/repos/acme/app/releases?per_page=100`),
    close: () => closed(meter, served),
  };
}

export async function openHub(): Promise<Subject> {
  const served = await serveHub();
  const meter = await openMeter(served.port);
  const host = `127.0.0.1:${meter.port}`;
  return {
    ...imageSubject(host),
    name: "img, as Docker Hub, 100 tags",
    meters: [meter],
    isCounted: ({ method, path }) => method === "GET" && path.includes("/manifests/"),
    isFree: true,
    close: () => closed(meter, served),
  };
}

export async function openOurs(): Promise<Subject> {
  const stage = await openStage();
  const tags = Array.from({ length: 100 }, (_, index) => `v1.${index}.0`);
  const file = join(stage.directory, releaseFile);
  await writeFile(file, "an application");
  await publish(stage.registry, file, { repositories: ["acme/app"], tags });
  const meter = await openMeter(Number(stage.registry.split(":")[1]));
  return {
    ...imageSubject(`127.0.0.1:${meter.port}`),
    name: "img, our registry, 100 tags",
    meters: [meter],
    isCounted: () => false,
    isFree: true,
    async close() {
      await meter.close();
      await stage.close();
    },
  };
}

const releaseFile = `app_${process.platform}_${process.arch === "x64" ? "amd64" : process.arch}.tar.gz`;

function imageSubject(host: string) {
  return {
    registry: `img://${host}/acme/app`,
    environment: {},
    beginsLook: ({ path, status }: Sighting) => path.endsWith("/tags/list") && status !== 401,
    openPeer: async (parts) => imagePeer({ host, repository: "acme/app" }, parts),
  } satisfies Partial<Subject>;
}

export async function openS3(): Promise<Subject> {
  const served = await serveS3();
  const meter = await openMeter(served.port);
  const endpoint = `http://127.0.0.1:${meter.port}`;
  const keys = { AWS_ACCESS_KEY_ID: "AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY: "secret" };
  return {
    name: "s3, 20 versions, 100 records",
    registry: `s3://us-east-1/releases?endpoint=${endpoint}`,
    environment: keys,
    meters: [meter],
    isCounted: everyRequest,
    isFree: false,
    beginsLook: isRootListing,
    openPeer: () => s3Peer(endpoint, keys),
    close: () => closed(meter, served),
  };
}

export async function openGcs(): Promise<Subject> {
  const served = await serveGcs();
  const meter = await openMeter(served.port);
  const url = `http://127.0.0.1:${meter.port}`;
  return {
    name: "gs, 20 versions, 100 records",
    registry: "gs://releases",
    environment: { STORAGE_EMULATOR_HOST: url },
    meters: [meter],
    isCounted: everyRequest,
    isFree: false,
    beginsLook: isRootListing,
    openPeer: async () => gcsPeer(`${url}/storage/v1/b/releases/o`),
    close: () => closed(meter, served),
  };
}

function isRootListing({ path }: Sighting): boolean {
  return !new URL(path, "http://bucket").searchParams.get("prefix");
}

export async function openGrpc(): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-bench-grpc-"));
  await mkdir(join(directory, "v1.0.0"));
  await writeFile(join(directory, "v1.0.0", releaseFile), "an application");
  const files = await serve((_request, response) => response.setHeader("etag", '"1"').end("file"));
  const filesMeter = await openMeter(files.port);
  const artifactsUrl = `http://127.0.0.1:${filesMeter.port}/`;
  const releases = await serveReleases({ directory, port: 0, artifactsUrl, report: () => {} });
  const meter = await openMeter(releases.port);
  const authority = `127.0.0.1:${meter.port}`;
  return {
    name: "grpc",
    registry: `grpc://${authority}?no-tls=true`,
    environment: {},
    meters: [meter, filesMeter],
    isCounted: () => false,
    isFree: true,
    beginsLook: ({ path }) => path === "",
    openPeer: (parts) => grpcPeer(authority, parts),
    async close() {
      await closed(meter, releases);
      await closed(filesMeter, files);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function closed(
  meter: { close(): Promise<void> },
  served: Pick<Served, "close">,
): Promise<void> {
  await meter.close();
  await served.close();
}
