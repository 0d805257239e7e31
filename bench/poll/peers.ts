import { Agent, type IncomingHttpHeaders } from "node:http";
import { openGrpcClient } from "../../src/agent/registries/grpc-client.ts";
import type { Environment } from "../../src/base/environment.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { nextPage } from "../../src/oci/page-link.ts";
import { exchange } from "../http-exchange.ts";
import type { Peer, PeerParts } from "./subject.ts";

/** Every page of the releases, without a condition. Go's client takes what is compressed. */
export function githubPeer(first: string): Peer {
  const { get, close } = openGet({
    authorization: "Bearer token",
    accept: "application/vnd.github.v3+json",
    "x-github-api-version": "2022-11-28",
    "user-agent": "go-github/v79.0.0",
    "accept-encoding": "gzip",
  });
  return {
    async poll() {
      for (let url: URL | undefined = new URL(first); url; ) {
        const { link } = await get(url.href);
        url = nextPage(typeof link === "string" ? link : undefined, url);
      }
    },
    close,
  };
}

/** The list of tags, and then the manifest by a GET. */
export function imagePeer(
  { host, repository }: { host: string; repository: string },
  parts: PeerParts,
): Peer {
  const client = openOciClient({ host, credentials: async () => undefined, ...parts });
  return {
    async poll(call) {
      const { tags = [] } = (await client.tags(repository, call)) ?? {};
      await client.manifest(repository, tags.at(-1) ?? "", call);
    },
    close() {},
  };
}

/** Two listings: of the versions, and of all that lies below the newest. */
export async function s3Peer(endpoint: string, keys: Environment): Promise<Peer> {
  const { ListObjectsV2Command, S3Client } = await import("@aws-sdk/client-s3");
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = keys;
  const client = new S3Client({
    ...{ endpoint, region: "us-east-1", forcePathStyle: true },
    credentials: { accessKeyId, secretAccessKey },
  });
  const Bucket = "releases";
  return {
    async poll({ signal: abortSignal }) {
      await client.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }), { abortSignal });
      const below = new ListObjectsV2Command({ Bucket, Prefix: newest });
      await client.send(below, { abortSignal });
    },
    close: () => client.destroy(),
  };
}

const newest = "v1.19.0/";

export function gcsPeer(objects: string): Peer {
  const { get, close } = openGet({
    "user-agent": "google-api-go-client/0.5 gcloud-golang-storage/1.50.0",
    "accept-encoding": "gzip",
  });
  return {
    async poll() {
      const query = "alt=json&prettyPrint=false&projection=full";
      await get(`${objects}?${query}&delimiter=%2F&prefix=`);
      await get(`${objects}?${query}&prefix=${encodeURIComponent(newest)}`);
    },
    close,
  };
}

/** One call for each poll, as ours. */
export async function grpcPeer(authority: string, { clock }: PeerParts): Promise<Peer> {
  const client = await openGrpcClient({ name: "peer", authority, tls: undefined, clock });
  const { arch, platform: os } = process;
  return {
    async poll(call) {
      await client.current({ arch: arch === "x64" ? "amd64" : arch, os }, call);
    },
    close: () => client.close(),
  };
}

function openGet(headers: Record<string, string>): {
  get(url: string): Promise<IncomingHttpHeaders>;
  close(): void;
} {
  const agent = new Agent({ keepAlive: true });
  return {
    get: (url) => exchange(url, { agent, status: 200, headers }),
    close: () => agent.destroy(),
  };
}
