import * as v from "valibot";
import { type Bytes, BytesError, collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError } from "../base/errors.ts";
import type { HttpAnswer, HttpClient, HttpHeaders } from "../base/http-client.ts";
import { isDigest } from "../oci/digest.ts";
import { openGcsCredentials } from "./gcs-credentials.ts";
import { gcsFailure, notJson } from "./gcs-failure.ts";
import { multipart } from "./gcs-upload.ts";
import { digestOfContent, sendContent, sizeOf } from "./object-content.ts";
import { type Listed, type ObjectStore, pages, type StoredObject } from "./object-store.ts";

/** The JSON API's "Objects" resource, as far as it is used; numbers of 64 bits are strings there. */
const ObjectAnswer = v.object({
  name: v.string(),
  size: v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)),
  generation: v.pipe(v.string(), v.regex(/^\d+$/)),
  timeCreated: v.pipe(v.string(), v.isoTimestamp()),
  metadata: v.optional(v.record(v.string(), v.string()), {}),
});
const PageAnswer = v.object({
  items: v.optional(v.array(ObjectAnswer), []),
  prefixes: v.optional(v.array(v.string()), []),
  nextPageToken: v.optional(v.string()),
});
const objectFields = "name,size,generation,timeCreated,metadata";
const pageFields = `items(${objectFields}),prefixes,nextPageToken`;

/** Bytes as they were stored: of what says `Content-Encoding: gzip` we would get them unpacked. */
const stored = { "accept-encoding": "gzip" };

/** A thousand objects whose names and metadata are as long as they may be are 9 MB. */
const maximumPageBytes = 16 * 1024 * 1024;

export interface GcsOptions {
  bucket: string;
  /** For `STORAGE_EMULATOR_HOST`, and for what names the credentials. */
  environment: Environment;
  http: HttpClient;
  clock: Clock;
}

/** A bucket of Google Cloud Storage, by its JSON API (v1). */
export function openGcsStore(options: GcsOptions): ObjectStore {
  const { bucket, environment, http } = options;
  const emulator = emulatorIn(environment);
  const credentials = emulator
    ? undefined
    : {
        read_only: openGcsCredentials(environment, "read_only"),
        read_write: openGcsCredentials(environment, "read_write"),
      };
  const host = emulator ?? "https://storage.googleapis.com";
  const path = `/storage/v1/b/${encodeURIComponent(bucket)}/o`;
  const objects = `${host}${path}`;

  return {
    listsDigests: true,

    list: (prefix, call) =>
      pages(async (pageToken) => {
        const query = { prefix, delimiter: "/", fields: pageFields, pageToken };
        const answer = await ask({ url: urlOf(objects, query), statuses: [200] }, call);
        const page = await parsed(PageAnswer, answer);
        return { entries: entriesOf(page), next: page.nextPageToken };
      }),

    async stat(key, call) {
      const url = urlOf(pathOf(key), { fields: objectFields });
      const answer = await ask({ url, statuses: [200, 404] }, call);
      if (answer.status === 200) return storedObject(await parsed(ObjectAnswer, answer));
      answer.discard();
      return undefined;
    },

    async open(key, { version: generation, from }, call) {
      const url = urlOf(pathOf(key), { alt: "media", generation });
      const range = from > 0 ? `bytes=${from}-` : undefined;
      const headers = { ...stored, range };
      const answer = await ask({ url, headers, statuses: [200, 206, 404, 416] }, call);
      const { status, body } = answer;
      if (status === 200) return { bytes: body, from: 0 };
      if (status === 206 && answer.headers["content-range"]?.startsWith(`bytes ${from}-`)) {
        return { bytes: body, from };
      }
      answer.discard();
      if (status === 404) return undefined;
      const whole = await ask({ url, headers: stored, statuses: [200] }, call);
      return { bytes: whole.body, from: 0 };
    },

    async put(key, content, { contentType, ifVersion }, call) {
      const url = urlOf(`${host}/upload${path}`, {
        uploadType: "multipart",
        fields: objectFields,
        ifGenerationMatch: ifVersion === "absent" ? "0" : ifVersion,
      });
      const about = { name: key, contentType, digest: digestOfContent(content) };
      const answer = await sendContent(key, content, (bytes) => {
        const upload = multipart(about, bytes, sizeOf(content));
        return ask({ method: "POST", url, ...upload, statuses: [200, 412] }, call);
      });
      if (answer.status === 200)
        return { version: (await parsed(ObjectAnswer, answer)).generation };
      answer.discard();
      return undefined;
    },

    async remove(key, call) {
      const answer = await ask({ method: "DELETE", url: pathOf(key), statuses: [204, 404] }, call);
      answer.discard();
    },

    close() {},
  };

  function pathOf(key: string): string {
    return `${objects}/${encodeURIComponent(key)}`;
  }

  async function ask({ statuses, ...request }: GcsRequest, call: Call): Promise<HttpAnswer> {
    const access = request.method === undefined ? "read_only" : "read_write";
    const authorization = await credentials?.[access].authorization(call);
    const headers = { ...request.headers, authorization };
    const answer = await http.request({ ...request, headers }, call);
    if (statuses.includes(answer.status)) return answer;
    answer.discard();
    if (answer.status === 401) credentials?.[access].forget();
    throw gcsFailure(answer, { bucket, access }, options.clock.now());
  }
}

interface GcsRequest {
  /** Of what changes something; `GET` without. */
  method?: "POST" | "DELETE";
  url: string;
  headers?: HttpHeaders;
  body?: Bytes;
  statuses: readonly number[];
}

/** `host:port` or a URL, as Google's own libraries read it; there are no credentials for it. */
function emulatorIn({ STORAGE_EMULATOR_HOST: host }: Environment): string | undefined {
  if (!host) return undefined;
  const url = host.includes("://") ? host : `http://${host}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return new URL(url).origin;
  throw new ConfigError("STORAGE_EMULATOR_HOST: this is not a host or an http URL", {
    hint: "set it to a host such as localhost:4443, or unset it",
  });
}

function urlOf(path: string, query: Record<string, string | undefined>): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1]);
  return `${path}?${new URLSearchParams(pairs)}`;
}

async function parsed<const S extends v.GenericSchema>(
  schema: S,
  answer: HttpAnswer,
): Promise<v.InferOutput<S>> {
  try {
    const bytes = await collect(answer.body, maximumPageBytes);
    return v.parse(schema, JSON.parse(bytes.toString()));
  } catch (error) {
    const isNonsense =
      error instanceof SyntaxError || error instanceof BytesError || v.isValiError(error);
    throw isNonsense ? notJson(error) : error;
  }
}

function* entriesOf({ prefixes, items }: v.InferOutput<typeof PageAnswer>): Generator<Listed> {
  for (const prefix of prefixes) yield { prefix };
  for (const item of items) yield storedObject(item);
}

function storedObject(answer: v.InferOutput<typeof ObjectAnswer>): StoredObject {
  const digest = `sha256:${answer.metadata.sha256?.toLowerCase()}`;
  return {
    key: answer.name,
    sizeBytes: answer.size,
    modifiedAt: new Date(answer.timeCreated),
    version: answer.generation,
    digest: isDigest(digest) ? digest : undefined,
  };
}
