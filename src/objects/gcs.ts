import * as v from "valibot";
import { BytesError, collect } from "../base/bytes.ts";
import type { Call } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../base/environment.ts";
import { ConfigError } from "../base/errors.ts";
import type { HttpAnswer, HttpClient, HttpHeaders } from "../base/http-client.ts";
import { isDigest } from "../oci/digest.ts";
import { openGcsCredentials } from "./gcs-credentials.ts";
import { gcsFailure, notJson } from "./gcs-failure.ts";
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
  const credentials = emulator ? undefined : openGcsCredentials(environment);
  const objects = `${emulator ?? "https://storage.googleapis.com"}/storage/v1/b/${encodeURIComponent(bucket)}/o`;

  return {
    listsDigests: true,

    list: (prefix, call) =>
      pages(async (pageToken) => {
        const query = { prefix, delimiter: "/", fields: pageFields, pageToken };
        const answer = await ask(urlOf(objects, query), {}, [200], call);
        const page = await parsed(PageAnswer, answer);
        return { entries: entriesOf(page), next: page.nextPageToken };
      }),

    async stat(key, call) {
      const url = urlOf(pathOf(key), { fields: objectFields });
      const answer = await ask(url, {}, [200, 404], call);
      if (answer.status === 200) return storedObject(await parsed(ObjectAnswer, answer));
      answer.discard();
      return undefined;
    },

    async open(key, { version: generation, from }, call) {
      const url = urlOf(pathOf(key), { alt: "media", generation });
      const range = from > 0 ? `bytes=${from}-` : undefined;
      const answer = await ask(url, { ...stored, range }, [200, 206, 404, 416], call);
      const { status, headers, body } = answer;
      if (status === 200) return { bytes: body, from: 0 };
      if (status === 206 && headers["content-range"]?.startsWith(`bytes ${from}-`)) {
        return { bytes: body, from };
      }
      answer.discard();
      if (status === 404) return undefined;
      const whole = await ask(url, stored, [200], call);
      return { bytes: whole.body, from: 0 };
    },

    close() {},
  };

  function pathOf(key: string): string {
    return `${objects}/${encodeURIComponent(key)}`;
  }

  async function ask(
    url: string,
    headers: HttpHeaders,
    statuses: readonly number[],
    call: Call,
  ): Promise<HttpAnswer> {
    const authorization = await credentials?.authorization(call);
    const answer = await http.request({ url, headers: { ...headers, authorization } }, call);
    if (statuses.includes(answer.status)) return answer;
    answer.discard();
    if (answer.status === 401) credentials?.forget();
    throw gcsFailure(answer, bucket, options.clock.now());
  }
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
