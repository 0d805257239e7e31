import { Readable } from "node:stream";
import type { PutObjectCommand, PutObjectCommandInput, S3Client } from "@aws-sdk/client-s3";
import type { Bytes } from "../base/bytes.ts";
import { type Call, orAborted } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import type { HttpClient } from "../base/http-client.ts";
import { algorithmOf, type Digest, hexOf, isDigest } from "../oci/digest.ts";
import {
  digestOfContent,
  type ObjectContent,
  ObjectContentError,
  sendContent,
  sizeOf,
} from "./object-content.ts";
import {
  type Listed,
  type ObjectStore,
  ObjectStoreError,
  pages,
  type StoredObject,
} from "./object-store.ts";
import { s3Failure, statusOf } from "./s3-failure.ts";
import { s3RequestHandler } from "./s3-request.ts";

export interface S3Options {
  region: string;
  bucket: string;
  /** Another server than Amazon's; it is spoken to in path style. */
  endpoint: URL | undefined;
  environment: Environment;
  http: HttpClient;
  clock: Clock;
}

/** "Upload size of a single PUT" (Amazon S3, "Uploading and copying objects"). */
const maximumPutBytes = 5 * 1024 ** 3;

/** A bucket of S3 or of a server that speaks its protocol. The SDK is loaded by the first request. */
export function openS3Store(options: S3Options): ObjectStore {
  const { bucket: Bucket } = options;
  let opening: Promise<Sdk> | undefined;

  return {
    listsDigests: false,

    async *list(Prefix, call) {
      const input = { Bucket, Prefix, Delimiter: "/" };
      yield* pages(async (token) => {
        const answer = await ask(call, ({ client, ListObjectsV2Command }, sending) =>
          client.send(new ListObjectsV2Command({ ...input, ContinuationToken: token }), sending),
        );
        const next = answer.IsTruncated ? answer.NextContinuationToken : undefined;
        return { entries: entriesOf(answer), next };
      });
    },

    stat,

    async open(Key, { version, from }, call) {
      const input = { Bucket, Key, IfMatch: version };
      const get = (range: { Range?: string }) =>
        ask(call, ({ client, GetObjectCommand }, sending) =>
          client.send(new GetObjectCommand({ ...input, ...range }), sending).catch(absentObject),
        );
      const part = from > 0 ? await get({ Range: `bytes=${from}-` }).catch(wrongRange) : undefined;
      if (part?.Body && part.ContentRange?.startsWith(`bytes ${from}-`)) {
        return { bytes: part.Body as Bytes, from };
      }
      if (part?.Body && !part.ContentRange) return { bytes: part.Body as Bytes, from: 0 };
      if (part?.Body) (part.Body as Readable).destroy(); // other bytes than those that were asked for
      const whole = await get({});
      return whole?.Body && { bytes: whole.Body as Bytes, from: 0 };
    },

    put: (Key, content, { ifVersion, contentType }, call) =>
      sendContent(Key, content, async (body) => {
        checkSize(Key, content);
        const Body = body instanceof Uint8Array ? body : Readable.from(body, { objectMode: false });
        const input = { Bucket, Key, Body, ...putInput(content, contentType) };
        const digest = digestOfContent(content);
        if (ifVersion === undefined) return send(input, digest, {}, call);
        // Servers that know no conditions leave them out: what can be seen is seen.
        const found = await stat(Key, call);
        if ((found?.version ?? "absent") !== ifVersion) return undefined;
        if (!found) return send(input, digest, { IfNoneMatch: "*" }, call);
        const stored = await send(input, digest, { IfMatch: ifVersion }, call);
        if (stored || Body instanceof Readable) return stored;
        // Ceph 16, and what is built on it, takes the quotes for a part of the tag.
        return send(input, digest, { IfMatch: ifVersion.replaceAll('"', "") }, call);
      }),

    async remove(Key, call) {
      await ask(
        call,
        ({ client, DeleteObjectCommand }, sending) =>
          client.send(new DeleteObjectCommand({ Bucket, Key }), sending).catch(absentObject),
        "write",
      );
    },

    close() {
      void opening?.then(({ client }) => client.destroy()).catch(() => {});
    },
  };

  async function stat(Key: string, call: Call): Promise<StoredObject | undefined> {
    const input = { Bucket, Key, ChecksumMode: "ENABLED" } as const;
    const answer = await ask(call, ({ client, HeadObjectCommand }, sending) =>
      client.send(new HeadObjectCommand(input), sending).catch(absentObject),
    );
    return answer && storedObject({ Key, Size: answer.ContentLength, ...answer }, digestIn(answer));
  }

  async function send(
    input: PutObjectCommandInput,
    digest: Digest | undefined,
    condition: { IfMatch?: string; IfNoneMatch?: string },
    call: Call,
  ): Promise<{ version: string } | undefined> {
    const answer = await ask(
      call,
      ({ client, PutObjectCommand }, sending) => {
        const command = new PutObjectCommand({ ...input, ...condition });
        signContent(command, digest);
        return client.send(command, sending).catch((error) => unmet(error, condition));
      },
      "write",
    );
    if (answer === undefined || answer.ETag) return answer && { version: answer.ETag ?? "" };
    throw new ObjectStoreError(
      "INVALID_ANSWER",
      `there is no ETag in the answer for ${input.Key}`,
      {
        hint: "check the endpoint, and what a proxy before it answers",
      },
    );
  }

  async function ask<Answer>(
    { signal }: Call,
    work: (sdk: Sdk, sending: { abortSignal: AbortSignal }) => Promise<Answer>,
    access: "read" | "write" = "read",
  ): Promise<Answer> {
    signal.throwIfAborted();
    try {
      opening ??= openSdk(options);
      // The credential chain may wait for a program or a host, and does not listen to the signal.
      return await orAborted(work(await opening, { abortSignal: signal }), signal);
    } catch (error) {
      signal.throwIfAborted();
      throw s3Failure(error, { ...options, access, now: options.clock.now() });
    }
  }
}

type Sdk = Awaited<ReturnType<typeof openSdk>>;

async function openSdk({ region, endpoint, environment, http }: S3Options) {
  const { state } = await import("@aws-sdk/core");
  state.warningEmitted = true; // about Node 20, to somebody who cannot do anything about it
  const { S3Client, ...commands } = await import("@aws-sdk/client-s3");
  const client: S3Client = new S3Client({
    region,
    ...(endpoint ? { endpoint: endpoint.href, forcePathStyle: true } : {}),
    ...credentialsIn(environment),
    requestHandler: s3RequestHandler(http),
    logger: silent,
    expectContinueHeader: false, // our client does not wait for what it asks for
    maxAttempts: 1, // who follows a registry has a rhythm of its own for what failed
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  return { client, ...commands };
}

/** Without one the SDK tells the terminal of streams that it cannot send again. */
const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** What the SDK's own chain begins with too; the rest of the chain is left to it. */
function credentialsIn(environment: Environment) {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (environment.AWS_PROFILE || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return {};
  return {
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
    },
  };
}

function checkSize(key: string, content: ObjectContent): void {
  if (sizeOf(content) <= maximumPutBytes) return;
  const size = `${(sizeOf(content) / 1024 ** 3).toFixed(1)} GiB`;
  throw new ObjectContentError("TOO_LARGE", `${key} is too large for one request: ${size}`, {
    hint: "S3 takes 5 GiB at a time: store it by another tool, or make it smaller",
  });
}

/** The digest is kept twice: not every server knows checksums, and none shows them in the console. */
function putInput(content: ObjectContent, contentType: string | undefined) {
  const digest = digestOfContent(content);
  const hex = digest && algorithmOf(digest) === "sha256" ? hexOf(digest) : undefined;
  return {
    ContentLength: sizeOf(content),
    ContentType: contentType ?? "application/octet-stream",
    ...(hex
      ? {
          ChecksumSHA256: Buffer.from(hex, "hex").toString("base64"),
          Metadata: { sha256: hex },
        }
      : {}),
  };
}

/** Signs the bytes of a stream too, where their digest is known: each server then checks them. */
function signContent({ middlewareStack }: PutObjectCommand, digest: Digest | undefined): void {
  if (!digest || algorithmOf(digest) !== "sha256") return;
  const hex = hexOf(digest);
  middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-content-sha256"] = hex;
      return next(args);
    },
    { step: "build", name: "signContent" },
  );
}

/** Of two that write at once one is told 409; a version of what is gone is no more than another. */
function unmet(error: unknown, condition: object): undefined {
  const isGone = error instanceof Error && error.name === "NoSuchKey";
  const isUnmet = isGone || [409, 412].includes(statusOf(error));
  if (Object.keys(condition).length === 0 || !isUnmet) throw error;
}

interface ObjectAnswer {
  Key?: string | undefined;
  Size?: number | undefined;
  ETag?: string | undefined;
  LastModified?: Date | undefined;
}

function* entriesOf(answer: {
  Contents?: ObjectAnswer[] | undefined;
  CommonPrefixes?: { Prefix?: string | undefined }[] | undefined;
}): Generator<Listed> {
  for (const { Prefix } of answer.CommonPrefixes ?? []) if (Prefix) yield { prefix: Prefix };
  for (const object of answer.Contents ?? []) {
    const stored = storedObject(object, undefined);
    if (stored) yield stored;
  }
}

function storedObject(
  { Key, Size, ETag, LastModified }: ObjectAnswer,
  digest: Digest | undefined,
): StoredObject | undefined {
  if (Key === undefined || Size === undefined || !ETag || !LastModified) return undefined;
  return { key: Key, sizeBytes: Size, version: ETag, modifiedAt: LastModified, digest };
}

/** A checksum of parts (`COMPOSITE`) is none of the object. */
function digestIn(answer: {
  ChecksumSHA256?: string | undefined;
  ChecksumType?: string | undefined;
  Metadata?: Record<string, string> | undefined;
}): Digest | undefined {
  const { ChecksumSHA256 = "", ChecksumType, Metadata } = answer;
  const isWhole = ChecksumType !== "COMPOSITE" && !ChecksumSHA256.includes("-");
  const checksum = isWhole ? Buffer.from(ChecksumSHA256, "base64").toString("hex") : "";
  return [`sha256:${checksum}`, `sha256:${Metadata?.sha256?.toLowerCase()}`].find(isDigest);
}

function absentObject(error: unknown): undefined {
  const isAbsent = error instanceof Error && ["NoSuchKey", "NotFound"].includes(error.name);
  if (!isAbsent && statusOf(error) !== 412) throw error;
}

function wrongRange(error: unknown): undefined {
  if (error instanceof Error && statusOf(error.cause) === 416) return undefined;
  throw error;
}
